-- What an address is tied to, and from whom the lender has it: of the borrower's line, not of the
-- address, for one person's work is another's home.
ALTER TABLE addresses ADD COLUMN place text NOT NULL DEFAULT 'personal'
    CHECK (place IN ('home', 'work', 'personal'));
ALTER TABLE addresses ADD COLUMN provided_by text NOT NULL DEFAULT 'unknown'
    CHECK (provided_by IN ('employer', 'borrower', 'unknown'));
