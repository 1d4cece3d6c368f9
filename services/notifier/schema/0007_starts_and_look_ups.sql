-- When the person last said start here, in real time, as blocked_at is: what a provider says of a
-- message that left before doesn't undo it.
ALTER TABLE contact_points ADD COLUMN started_at timestamptz;
