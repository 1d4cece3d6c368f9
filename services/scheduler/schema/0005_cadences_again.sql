-- Until now a cadence whose file was away for a while kept its digest, so what changed meanwhile was
-- never planned.  All are walked once more, at the next start.
DELETE FROM cadences;
