-- What more a lender may say of a loan (facts v1, `debt`); of a loan told before, nothing of it.

ALTER TABLE debts ADD COLUMN time_barred boolean NOT NULL DEFAULT false;
ALTER TABLE debts ADD COLUMN in_procedures boolean NOT NULL DEFAULT false;
ALTER TABLE debts ADD COLUMN missed_meetings integer NOT NULL DEFAULT 0;
