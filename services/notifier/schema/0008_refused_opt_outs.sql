-- Twilio's 21610 (the person has opted out) was kept as a dead number, which lives again when a
-- lender gives it anew.  It is a STOP: only START ends it.
UPDATE contact_points SET blocked_at = unusable_at
 WHERE unusable_code = '21610' AND blocked_at IS NULL;
