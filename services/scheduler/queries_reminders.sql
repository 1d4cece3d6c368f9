-- situations
SELECT i.tenant, i.loan_id, i.installment_number, i.borrower_id, i.due_date, i.amount_minor, i.currency,
       i.revision, i.told, i.outstanding_minor, i.cycle, i.armed_for,
       (SELECT coalesce(sum(p.amount_minor), 0)::bigint FROM payments p
         WHERE p.tenant = i.tenant AND p.loan_id = i.loan_id
           AND p.installment_number = i.installment_number AND p.reversed_at IS NULL) AS paid_minor,
       l.product, l.role, l.account, l.creditor, l.source, l.cadence, l.time_barred, l.in_procedures,
       l.missed_meetings,
       coalesce(c.version >= l.version, false) AS closed,
       b.version AS borrower_version, b.country, b.zones
  FROM unnest($1::text[], $2::text[], $3::int[]) AS named (tenant, loan_id, installment_number)
  JOIN installments i USING (tenant, loan_id, installment_number)
  JOIN borrowers b ON b.tenant = i.tenant AND b.borrower_id = i.borrower_id
  LEFT JOIN loans l
    ON l.tenant = i.tenant AND l.loan_id = i.loan_id AND l.borrower_id = i.borrower_id
   AND l.currency = i.currency
  LEFT JOIN closures c ON c.tenant = i.tenant AND c.loan_id = i.loan_id
 ORDER BY i.tenant, i.loan_id, i.installment_number;

-- contact_zones
SELECT p.tenant, p.borrower_id, p.zones
  FROM contact_points p
  JOIN unnest($1::text[], $2::uuid[]) AS named (tenant, borrower_id) USING (tenant, borrower_id)
 WHERE p.usable AND p.zones <> '[]'
 ORDER BY p.contact_point_id;

-- lock_open_reminders
-- Waits for a claim that is under way, and then sees what it did.
SELECT r.tenant, r.loan_id, r.installment_number, r.reminder_id, r.emission, r.due_at, r.valid_until,
       r.stage, r.priority, r.channels
  FROM reminders r
  JOIN unnest($1::text[], $2::text[], $3::int[]) AS named (tenant, loan_id, installment_number)
 USING (tenant, loan_id, installment_number)
 WHERE r.status IN ('planned', 'due')
 ORDER BY r.tenant, r.reminder_id
   FOR NO KEY UPDATE OF r;

-- forget_cadences
DELETE FROM cadences WHERE name = ANY($1::text[]);

-- save_installments
UPDATE installments i
   SET outstanding_minor = new.outstanding_minor, revision = new.revision, told = new.told,
       cycle = new.cycle, armed_for = new.armed_for
  FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bytea[], $7::int[],
              $8::date[])
    AS new (tenant, loan_id, installment_number, outstanding_minor, revision, told, cycle, armed_for)
 WHERE i.tenant = new.tenant AND i.loan_id = new.loan_id
   AND i.installment_number = new.installment_number;

-- add_reminders
-- An id is used once.  Only a step that a change of cadence took away before anybody heard of it may
-- come back by another such change.
INSERT INTO reminders (tenant, borrower_id, loan_id, installment_number, reminder_id, cycle, step,
                       days_from_due, stage, due_date, due_at, valid_until, zone, priority, channels)
SELECT tenant, borrower_id, loan_id, installment_number, reminder_id, cycle, step, days_from_due, stage,
       due_date, due_at, valid_until, zone, priority, string_to_array(channels, ',')
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::uuid[], $6::int[], $7::text[], $8::int[],
              $9::text[], $10::date[], $11::timestamptz[], $12::timestamptz[], $13::text[],
              $14::smallint[], $15::text[])
    AS new (tenant, borrower_id, loan_id, installment_number, reminder_id, cycle, step, days_from_due,
            stage, due_date, due_at, valid_until, zone, priority, channels)
ON CONFLICT (tenant, reminder_id) DO UPDATE
   SET status = 'planned', reason = NULL, settled_at = NULL, due_at = excluded.due_at,
       valid_until = excluded.valid_until, zone = excluded.zone, stage = excluded.stage,
       priority = excluded.priority, channels = excluded.channels
 WHERE reminders.status = 'cancelled' AND reminders.reason = 'cadence_changed'
   AND reminders.emission = 0;

-- move_reminders
UPDATE reminders r
   SET due_at = new.due_at, valid_until = new.valid_until, zone = new.zone, stage = new.stage,
       priority = new.priority, channels = string_to_array(new.channels, ',')
  FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::timestamptz[], $5::text[], $6::text[],
              $7::smallint[], $8::text[])
    AS new (tenant, reminder_id, due_at, valid_until, zone, stage, priority, channels)
 WHERE r.tenant = new.tenant AND r.reminder_id = new.reminder_id
   AND r.status = 'planned' AND r.emission = 0;

-- cancel_reminders
-- Answers those that policy has heard of: they must be told.  The others just end.
WITH cancelled AS (
    UPDATE reminders r
       SET status = 'cancelled', reason = gone.reason, settled_at = $4, revision = r.revision + 1
      FROM unnest($1::text[], $2::uuid[], $3::text[]) AS gone (tenant, reminder_id, reason)
     WHERE r.tenant = gone.tenant AND r.reminder_id = gone.reminder_id
       AND r.status IN ('planned', 'due')
    RETURNING r.tenant, r.reminder_id, r.borrower_id, r.revision, r.reason, r.settled_at, r.emission),
history AS (
    INSERT INTO reminder_history (tenant, reminder_id, emission, event, at, reason)
    SELECT tenant, reminder_id, emission, 'cancelled', $4, reason FROM cancelled WHERE emission > 0
    ON CONFLICT DO NOTHING)
SELECT * FROM cancelled WHERE emission > 0;

-- claim_due
-- Skips rows another replica holds, so any number of schedulers may run.  $2 is the moving cursor: a
-- deep backlog's dead index entries at the head cost 44 % when every batch begins there.
WITH picked AS MATERIALIZED (
    SELECT tenant, reminder_id FROM reminders
     WHERE status = 'planned' AND settled_at IS NULL AND due_at <= $1 AND due_at >= $2
     ORDER BY due_at, priority, reminder_id
     LIMIT $3
       FOR UPDATE SKIP LOCKED),
claimed AS (
    UPDATE reminders r
       SET status = CASE WHEN r.valid_until > $1 THEN 'due' ELSE 'suppressed' END,
           emission = CASE WHEN r.valid_until > $1 THEN r.emission + 1 ELSE r.emission END,
           reason = CASE WHEN r.valid_until > $1 THEN NULL ELSE 'stale_step' END,
           settled_at = CASE WHEN r.valid_until > $1 THEN NULL ELSE $1 END
      FROM picked
     WHERE r.tenant = picked.tenant AND r.reminder_id = picked.reminder_id
    RETURNING r.*),
history AS (
    INSERT INTO reminder_history (tenant, reminder_id, emission, event, at, reason)
    SELECT tenant, reminder_id, emission, status, $1, reason FROM claimed WHERE emission > 0
    ON CONFLICT DO NOTHING)
SELECT c.tenant, c.reminder_id, c.emission, c.borrower_id, c.loan_id, c.installment_number, c.cycle,
       c.step, c.days_from_due, c.stage, c.due_date, c.due_at, c.valid_until, c.zone, c.priority,
       c.channels, c.status, i.outstanding_minor, i.currency, l.product, l.role, l.account, l.creditor,
       b.locale,
       (SELECT min(late.due_date) FROM installments late
         WHERE late.tenant = c.tenant AND late.loan_id = c.loan_id AND late.outstanding_minor > 0
       ) AS oldest_unpaid
  FROM claimed c
  -- LIMIT 1: each by its whole key, whatever the planner believes of a table it has not yet seen full.
 CROSS JOIN LATERAL (SELECT outstanding_minor, currency FROM installments
                      WHERE tenant = c.tenant AND loan_id = c.loan_id
                        AND installment_number = c.installment_number LIMIT 1) AS i
 CROSS JOIN LATERAL (SELECT product, role, account, creditor FROM loans
                      WHERE tenant = c.tenant AND loan_id = c.loan_id LIMIT 1) AS l
 CROSS JOIN LATERAL (SELECT locale FROM borrowers
                      WHERE tenant = c.tenant AND borrower_id = c.borrower_id LIMIT 1) AS b
 ORDER BY c.due_at, c.priority, c.reminder_id;

-- catch_up
-- An answer to an emission that we don't know: this database was restored to before it.  What was
-- answered was asked, so it counts as emitted; asked again under its number, policy and the notifier
-- would stay silent, and the reminder open for good.
WITH ahead AS (
    UPDATE reminders r SET status = 'due', emission = a.emission
      FROM (SELECT tenant, reminder_id, max(emission) AS emission
              FROM unnest($1::text[], $2::uuid[], $3::int[]) AS u (tenant, reminder_id, emission)
             GROUP BY tenant, reminder_id) AS a
     WHERE r.tenant = a.tenant AND r.reminder_id = a.reminder_id AND r.emission < a.emission
       AND r.status IN ('planned', 'due')
    RETURNING r.tenant, r.reminder_id, r.emission)
INSERT INTO reminder_history (tenant, reminder_id, emission, event, at)
SELECT a.tenant, a.reminder_id, told.emission, 'due', $4
  FROM ahead a CROSS JOIN LATERAL (VALUES (1), (a.emission)) AS told (emission)
    ON CONFLICT DO NOTHING;

-- defer_reminders
-- Only the emission that was asked: an older answer finds no row.  At or beyond valid_until it ends.
WITH answered AS (
    UPDATE reminders r
       SET status = CASE WHEN d.until < r.valid_until THEN 'planned' ELSE 'suppressed' END,
           due_at = CASE WHEN d.until < r.valid_until THEN d.until ELSE r.due_at END,
           reason = CASE WHEN d.until < r.valid_until THEN NULL ELSE 'stale_step' END,
           settled_at = CASE WHEN d.until < r.valid_until THEN NULL ELSE $6::timestamptz END
      FROM unnest($1::text[], $2::uuid[], $3::int[], $4::timestamptz[], $5::text[])
        AS d (tenant, reminder_id, emission, until, code)
     WHERE r.tenant = d.tenant AND r.reminder_id = d.reminder_id AND r.emission = d.emission
       AND r.status = 'due'
    RETURNING r.tenant, r.reminder_id, r.emission, r.status, r.reason, d.code, d.until),
deferred AS (
    INSERT INTO reminder_history (tenant, reminder_id, emission, event, at, reason, until)
    SELECT tenant, reminder_id, emission, 'deferred', $6, code, until FROM answered
    ON CONFLICT DO NOTHING),
ended AS (
    INSERT INTO reminder_history (tenant, reminder_id, emission, event, at, reason)
    SELECT tenant, reminder_id, emission, 'suppressed', $6, reason FROM answered
     WHERE status = 'suppressed'
    ON CONFLICT DO NOTHING)
SELECT status, count(*) AS count FROM answered GROUP BY status;

-- suppress_reminders
WITH answered AS (
    UPDATE reminders r SET status = 'suppressed', reason = s.code, settled_at = $5
      FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[])
        AS s (tenant, reminder_id, emission, code)
     WHERE r.tenant = s.tenant AND r.reminder_id = s.reminder_id AND r.emission = s.emission
       AND r.status IN ('planned', 'due')
    RETURNING r.tenant, r.reminder_id, r.emission, r.reason),
history AS (
    INSERT INTO reminder_history (tenant, reminder_id, emission, event, at, reason)
    SELECT tenant, reminder_id, emission, 'suppressed', $5, reason FROM answered
    ON CONFLICT DO NOTHING)
SELECT count(*) FROM answered;

-- settle_sent
-- A provider took it: that is so whatever we had written down before, also after a cancellation that
-- came too late, and for an earlier emission.
WITH answered AS (
    UPDATE reminders r SET status = 'sent', reason = NULL, settled_at = s.at
      FROM unnest($1::text[], $2::uuid[], $3::timestamptz[]) AS s (tenant, reminder_id, at)
     WHERE r.tenant = s.tenant AND r.reminder_id = s.reminder_id AND r.status <> 'sent'
       AND r.emission > 0
    RETURNING r.tenant, r.reminder_id, r.emission, s.at),
history AS (
    INSERT INTO reminder_history (tenant, reminder_id, emission, event, at)
    SELECT tenant, reminder_id, emission, 'sent', at FROM answered
    ON CONFLICT DO NOTHING)
SELECT count(*) FROM answered;

-- settle_failed
-- Also for an earlier emission: after a failure the notifier takes no later one, so nobody else would
-- end it.
WITH answered AS (
    UPDATE reminders r SET status = 'failed', reason = f.reason, settled_at = f.at
      FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::timestamptz[])
        AS f (tenant, reminder_id, emission, reason, at)
     WHERE r.tenant = f.tenant AND r.reminder_id = f.reminder_id AND r.emission >= f.emission
       AND r.status IN ('planned', 'due')
    RETURNING r.tenant, r.reminder_id, r.emission, r.reason, f.at),
history AS (
    INSERT INTO reminder_history (tenant, reminder_id, emission, event, at, reason)
    SELECT tenant, reminder_id, emission, 'failed', at, reason FROM answered
    ON CONFLICT DO NOTHING)
SELECT count(*) FROM answered;

-- cancelled_of_installments
-- What policy must know before a payment is answered: also when the payment is repeated.
SELECT r.tenant, r.reminder_id, r.borrower_id, r.revision, r.reason, r.settled_at
  FROM reminders r
  JOIN unnest($1::text[], $2::text[], $3::int[]) AS named (tenant, loan_id, installment_number)
 USING (tenant, loan_id, installment_number)
 WHERE r.status = 'cancelled' AND r.emission > 0;

-- reminder
SELECT r.reminder_id, r.borrower_id, r.loan_id, r.installment_number, r.cycle, r.step, r.days_from_due,
       r.stage, r.due_date, r.due_at, r.valid_until, r.priority, r.channels, r.status, r.emission,
       r.reason, r.settled_at
  FROM reminders r
 WHERE r.tenant = $1 AND r.reminder_id = $2;

-- history
SELECT emission, event, at, reason, until
  FROM reminder_history
 WHERE tenant = $1 AND reminder_id = $2
 ORDER BY at, emission, array_position(
       ARRAY['due', 'deferred', 'suppressed', 'failed', 'cancelled', 'sent'], event);

-- reminders_of_loan
SELECT r.reminder_id, r.installment_number, r.step, r.due_at, r.status, r.reason
  FROM reminders r
 WHERE r.tenant = $1 AND r.loan_id = $2
 ORDER BY r.due_at, r.reminder_id
 LIMIT $3;

-- ledger
SELECT status, reason, emission > 0 AS emitted, count(*) AS count
  FROM reminders
 WHERE tenant = $1
 GROUP BY 1, 2, 3;

-- emitted
-- Counted apart from the reminders' own states: the other side of the balance.
SELECT count(*) FROM reminder_history WHERE tenant = $1 AND event = 'due' AND emission = 1;
