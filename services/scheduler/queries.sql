-- add_borrowers
-- A row for everybody whom a fact names, so that there is something to lock; in key order, so that two
-- batches never wait for each other crosswise.
INSERT INTO borrowers (tenant, borrower_id)
SELECT * FROM unnest($1::text[], $2::uuid[]) AS named (tenant, borrower_id)
 ORDER BY 1, 2
ON CONFLICT DO NOTHING;

-- lock_borrowers
-- The one lock for all facts of a borrower; whatever decides on them is read after it.
SELECT b.tenant, b.borrower_id
  FROM borrowers b
  JOIN unnest($1::text[], $2::uuid[]) AS named (tenant, borrower_id) USING (tenant, borrower_id)
 ORDER BY b.tenant, b.borrower_id
   FOR NO KEY UPDATE OF b;

-- known_loans
-- Whose a loan is and in which currency, by the first fact that said so.
SELECT named.tenant, named.loan_id, fact.borrower_id, fact.currency
  FROM unnest($1::text[], $2::text[]) AS named (tenant, loan_id)
 CROSS JOIN LATERAL (
        (SELECT borrower_id, currency FROM loans l
          WHERE l.tenant = named.tenant AND l.loan_id = named.loan_id)
         UNION ALL
        (SELECT borrower_id, currency FROM installments i
          WHERE i.tenant = named.tenant AND i.loan_id = named.loan_id LIMIT 1)
         UNION ALL
        (SELECT borrower_id, currency FROM payments p
          WHERE p.tenant = named.tenant AND p.loan_id = named.loan_id
          ORDER BY currency NULLS LAST LIMIT 1)
         UNION ALL
        (SELECT borrower_id, NULL FROM closures c
          WHERE c.tenant = named.tenant AND c.loan_id = named.loan_id)
         LIMIT 1) AS fact;

-- known_payments
SELECT p.tenant, p.payment_id, p.loan_id, p.installment_number, p.amount_minor
  FROM payments p
  JOIN unnest($1::text[], $2::text[]) AS named (tenant, payment_id) USING (tenant, payment_id);

-- record_borrowers
UPDATE borrowers b
   SET version = new.version, country = new.country, subdivision = new.subdivision, city = new.city,
       zones = new.zones::jsonb, locale = new.locale, household_id = new.household_id
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
              $8::text[], $9::uuid[])
    AS new (tenant, borrower_id, version, country, subdivision, city, zones, locale, household_id)
 WHERE b.tenant = new.tenant AND b.borrower_id = new.borrower_id AND b.version < new.version
RETURNING b.tenant, b.borrower_id;

-- record_loans
INSERT INTO loans (tenant, loan_id, borrower_id, version, product, currency, role, account, creditor,
                   cadence, source, time_barred, in_procedures, missed_meetings)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::text[],
                     $8::text[], $9::text[], $10::text[], $11::text[], $12::boolean[],
                     $13::boolean[], $14::int[])
ON CONFLICT (tenant, loan_id) DO UPDATE
   SET version = excluded.version, product = excluded.product, role = excluded.role,
       account = excluded.account, creditor = excluded.creditor, cadence = excluded.cadence,
       source = excluded.source, time_barred = excluded.time_barred,
       in_procedures = excluded.in_procedures, missed_meetings = excluded.missed_meetings
 WHERE loans.version < excluded.version AND loans.borrower_id = excluded.borrower_id
   AND loans.currency = excluded.currency
RETURNING tenant, loan_id;

-- record_closures
INSERT INTO closures (tenant, loan_id, borrower_id, version, closed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bigint[], $5::timestamptz[])
ON CONFLICT (tenant, loan_id) DO UPDATE
   SET version = excluded.version, closed_at = excluded.closed_at
 WHERE closures.version < excluded.version AND closures.borrower_id = excluded.borrower_id
RETURNING tenant, loan_id;

-- record_installments
INSERT INTO installments (tenant, loan_id, installment_number, borrower_id, version, due_date,
                          amount_minor, currency)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::uuid[], $5::bigint[], $6::date[], $7::bigint[],
                     $8::text[])
ON CONFLICT (tenant, loan_id, installment_number) DO UPDATE
   SET version = excluded.version, due_date = excluded.due_date, amount_minor = excluded.amount_minor
 WHERE installments.version < excluded.version AND installments.borrower_id = excluded.borrower_id
   AND installments.currency = excluded.currency
RETURNING tenant, loan_id, installment_number;

-- record_payments
-- A payment id counts once; the row of a reversal that came first gets its amount, and stays reversed.
INSERT INTO payments (tenant, payment_id, loan_id, installment_number, borrower_id, amount_minor,
                      currency, received_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::uuid[], $6::bigint[], $7::text[],
                     $8::timestamptz[])
ON CONFLICT (tenant, payment_id) DO UPDATE
   SET amount_minor = excluded.amount_minor, currency = excluded.currency,
       received_at = excluded.received_at
 WHERE payments.amount_minor IS NULL
RETURNING tenant, payment_id, loan_id, installment_number;

-- record_reversals
INSERT INTO payments (tenant, payment_id, loan_id, installment_number, borrower_id, reversed_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::uuid[], $6::timestamptz[])
ON CONFLICT (tenant, payment_id) DO UPDATE SET reversed_at = excluded.reversed_at
 WHERE payments.reversed_at IS NULL
RETURNING tenant, payment_id, loan_id, installment_number;

-- record_contact_points
INSERT INTO contact_points (tenant, borrower_id, contact_point_id, version, usable, zones)
SELECT tenant, borrower_id, contact_point_id, version, usable, zones::jsonb
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::boolean[], $6::text[])
    AS new (tenant, borrower_id, contact_point_id, version, usable, zones)
ON CONFLICT (tenant, borrower_id, contact_point_id) DO UPDATE
   SET version = excluded.version, usable = excluded.usable, zones = excluded.zones
 WHERE contact_points.version < excluded.version
RETURNING tenant, borrower_id;

-- record_watermarks
INSERT INTO watermarks (tenant, source, partition, as_of, bound_seconds)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::int[])
ON CONFLICT (tenant, source, partition) DO UPDATE
   SET as_of = excluded.as_of, bound_seconds = excluded.bound_seconds
 WHERE watermarks.as_of < excluded.as_of;

-- advance_feeds
-- A source is as fresh as its slowest partition among those that ever carried its watermark.
INSERT INTO feeds (tenant, source, as_of, bound_seconds)
SELECT w.tenant, w.source, min(w.as_of), min(w.bound_seconds)
  FROM watermarks w
  JOIN (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS n (tenant, source)) AS named
    ON w.tenant = named.tenant AND w.source = named.source
 GROUP BY w.tenant, w.source
ON CONFLICT (tenant, source) DO UPDATE
   SET as_of = excluded.as_of, bound_seconds = excluded.bound_seconds
 WHERE feeds.as_of < excluded.as_of
RETURNING tenant, source, as_of, bound_seconds;

-- installments_of_loans
SELECT i.tenant, i.loan_id, i.installment_number
  FROM installments i
  JOIN unnest($1::text[], $2::text[]) AS named (tenant, loan_id) USING (tenant, loan_id);

-- loan_version
SELECT version FROM loans WHERE tenant = $1 AND loan_id = $2;

-- loans_of_cadence
SELECT tenant, loan_id, borrower_id
  FROM loans
 WHERE cadence = $1 AND (loan_id, tenant) > ($3, $2)
 ORDER BY loan_id, tenant
 LIMIT $4;

-- cadence_digests
SELECT name, digest FROM cadences;

-- keep_cadence_digest
INSERT INTO cadences (name, digest) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET digest = excluded.digest;

-- unpaid_installments_of_borrowers
-- OFFSET 0: by the borrower, not by walking all that is unpaid.
SELECT i.tenant, i.loan_id, i.installment_number
  FROM unnest($1::text[], $2::uuid[]) AS named (tenant, borrower_id)
 CROSS JOIN LATERAL (SELECT * FROM installments
                      WHERE tenant = named.tenant AND borrower_id = named.borrower_id
                     OFFSET 0) AS i
 WHERE i.outstanding_minor > 0;

-- borrowers_without_zones
SELECT b.tenant, b.borrower_id
  FROM borrowers b
  JOIN unnest($1::text[], $2::uuid[]) AS named (tenant, borrower_id) USING (tenant, borrower_id)
 WHERE b.zones = '[]';

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
