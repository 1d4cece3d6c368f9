-- Where the borrower was known to live, by which the packs were chosen: "US", "US-NY", "US-NY/New York City".
-- Null: not known, or decided before this column was.
ALTER TABLE decisions ADD COLUMN place text;
