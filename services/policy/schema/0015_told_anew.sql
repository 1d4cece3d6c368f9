-- The digests of 0013 changed with the order of a list and with every new field of an event.
UPDATE stops SET told = NULL WHERE told IS NOT NULL;
UPDATE consents SET told = NULL WHERE told IS NOT NULL;
UPDATE preferences SET told = NULL WHERE told IS NOT NULL;
UPDATE notices SET told = NULL WHERE told IS NOT NULL;
UPDATE duties SET told = NULL WHERE told IS NOT NULL;
