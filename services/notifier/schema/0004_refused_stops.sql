-- Policy answered no to this stop, or to its end, when last asked: others pass it, and it is asked again.
ALTER TABLE forwarded_stops ADD COLUMN refused_at timestamptz;
