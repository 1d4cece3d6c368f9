-- When the provider was last asked about an unknown outcome; each has its turn.
ALTER TABLE attempts ADD COLUMN looked_up_at timestamptz;
