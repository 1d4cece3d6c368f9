-- A borrower's timeline finds decisions through reminders and clearances: one entry for each of them,
-- none a decision.
CREATE INDEX reminders_borrower ON reminders (borrower_id, tenant);
CREATE INDEX clearances_borrower ON clearances (borrower_id, tenant);
