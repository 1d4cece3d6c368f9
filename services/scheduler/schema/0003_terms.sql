-- What more a lender may say of a loan: rules read it, the plan does not.
ALTER TABLE loans ADD COLUMN time_barred boolean NOT NULL DEFAULT false;
ALTER TABLE loans ADD COLUMN in_procedures boolean NOT NULL DEFAULT false;
ALTER TABLE loans ADD COLUMN missed_meetings integer NOT NULL DEFAULT 0 CHECK (missed_meetings >= 0);
