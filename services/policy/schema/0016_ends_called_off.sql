-- An end that was scheduled and then called off stays on record, with who asked for it and why:
-- [{"ended_at", "ended_by", "end_approved_by", "end_reason"}], the latest to be called off last.

ALTER TABLE activations ADD COLUMN ends_called_off jsonb NOT NULL DEFAULT '[]';
