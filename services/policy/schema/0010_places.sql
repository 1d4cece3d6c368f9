-- Work addresses, stops on places and persons, consents to certain hours.

ALTER TABLE contact_points ADD COLUMN place text NOT NULL DEFAULT 'personal';
ALTER TABLE contact_points ADD COLUMN provided_by text NOT NULL DEFAULT 'unknown';

ALTER TABLE stops ADD COLUMN places text[] NOT NULL DEFAULT '{}';   -- scope; empty: not limited
ALTER TABLE stops ADD COLUMN persons text[] NOT NULL DEFAULT '{}';
ALTER TABLE stops ADD COLUMN basis_ended date;  -- when what it rests on ended

ALTER TABLE consents ADD COLUMN from_clock text;  -- null: at any time
ALTER TABLE consents ADD COLUMN to_clock text;
ALTER TABLE consents ADD COLUMN days text NOT NULL DEFAULT 'daily';
ALTER TABLE consents ADD CONSTRAINT consents_hours_begin_and_end
    CHECK ((from_clock IS NULL) = (to_clock IS NULL));
