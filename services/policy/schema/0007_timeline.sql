-- A borrower's timeline finds decisions through reminders: one entry a reminder, none a decision.
CREATE INDEX reminders_borrower ON reminders (borrower_id, tenant);
