-- A digest of what was told under an id: the same again is a repeat, anything else is refused.
-- Null: told before we kept one.
ALTER TABLE stops ADD COLUMN told bytea;
ALTER TABLE consents ADD COLUMN told bytea;
ALTER TABLE preferences ADD COLUMN told bytea;
ALTER TABLE notices ADD COLUMN told bytea;
ALTER TABLE duties ADD COLUMN told bytea;
