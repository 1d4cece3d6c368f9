-- What the lender says a number is: of the borrower's line, for another lists the same as something
-- else.  NULL in lines given before this file: as the contact point was first given.
ALTER TABLE addresses ADD COLUMN given_kind text
    CHECK (given_kind IN ('mobile', 'landline', 'email', 'app'));
