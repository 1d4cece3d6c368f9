-- On whose word a stop ends.  A word that doesn't end it is no end, whichever of the two came first;
-- so each word is kept apart.

ALTER TABLE stops ADD COLUMN may_lift text[] NOT NULL DEFAULT '{borrower,officer,lender}';
ALTER TABLE stops ALTER COLUMN may_lift DROP DEFAULT;

ALTER TABLE stop_ends ADD COLUMN on_word_of text NOT NULL DEFAULT 'lender';
ALTER TABLE stop_ends ALTER COLUMN on_word_of DROP DEFAULT;
ALTER TABLE stop_ends ADD COLUMN evidence text;  -- where the word is on file
ALTER TABLE stop_ends DROP CONSTRAINT stop_ends_pkey;
ALTER TABLE stop_ends ADD PRIMARY KEY (stop_id, tenant, on_word_of);
