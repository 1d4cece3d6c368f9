-- Templates are found by a tag as BCP 47 writes it: whoever was told as pt_BR or ES was written to in
-- English.
UPDATE borrowers
   SET locale = lower(substring(locale FROM '^[A-Za-z]+'))
                || replace(substring(locale FROM '^[A-Za-z]+(.*)$'), '_', '-')
 WHERE locale ~ '^[a-z]*[A-Z_]' OR locale LIKE '%\_%';
