-- Statements on reminders and attempts.

-- allow_reminders
-- The highest emission wins; after a cancellation or a failure nothing re-arms a reminder.
INSERT INTO reminders (tenant, reminder_id, emission, borrower_id, allowed)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::int[], $4::uuid[], $5::bytea[])
           AS given (tenant, reminder_id, emission, borrower_id, allowed)
 ORDER BY 1, 2
ON CONFLICT (tenant, reminder_id) DO UPDATE
   SET emission = excluded.emission, allowed = excluded.allowed
 WHERE reminders.emission < excluded.emission
   AND reminders.cancelled_at IS NULL AND reminders.failed_at IS NULL
RETURNING tenant, reminder_id

-- rearm
-- A higher emission takes an intent over by epoch; from in_flight on it is ignored.
UPDATE attempts a
   SET emission = given.emission, priority = given.priority, epoch = a.epoch + 1,
       owner = NULL, lease_until = NULL, not_before = clock_timestamp()
  FROM unnest($1::text[], $2::uuid[], $3::int[], $4::int[])
           AS given (tenant, reminder_id, emission, priority)
 WHERE a.tenant = given.tenant AND a.reminder_id = given.reminder_id
   AND a.state = 'intent' AND a.emission < given.emission

-- add_attempts
-- attempts_one_live is the answer to a second one.
INSERT INTO attempts
    (attempt_id, tenant, reminder_id, emission, borrower_id, priority, releases, not_before)
SELECT attempt_id, tenant, reminder_id, emission, borrower_id, priority,
       string_to_array(releases, ' ')::uuid[], clock_timestamp() + wait
  FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::uuid[], $6::int[],
              $7::text[], $8::interval[])
           AS given (attempt_id, tenant, reminder_id, emission, borrower_id, priority,
                     releases, wait)
ON CONFLICT DO NOTHING

-- cancel_reminders
INSERT INTO reminders (tenant, reminder_id, emission, borrower_id, cancelled_at)
SELECT tenant, reminder_id, 0, borrower_id, cancelled_at
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::timestamptz[])
           AS given (tenant, reminder_id, borrower_id, cancelled_at)
 ORDER BY 1, 2
ON CONFLICT (tenant, reminder_id) DO UPDATE
   SET cancelled_at = coalesce(reminders.cancelled_at, excluded.cancelled_at)

-- suppress_cancelled
UPDATE attempts a
   SET state = 'suppressed', code = 'cancelled', epoch = a.epoch + 1, ended_at = clock_timestamp(),
       lease_until = NULL
  FROM unnest($1::text[], $2::uuid[]) AS given (tenant, reminder_id)
 WHERE a.tenant = given.tenant AND a.reminder_id = given.reminder_id AND a.state = 'intent'
RETURNING a.attempt_id, a.tenant, a.reminder_id, a.emission, a.borrower_id, a.priority, a.releases,
          a.channel, a.provider, a.contact_point_id, a.state, a.code, policy.gate_now() AS at

-- lock_intents
-- Skips what another replica is looking at; an expired lease is a crash before IN_FLIGHT, where
-- nothing can have left: it is taken over by epoch and redeemed again.
SELECT a.attempt_id, a.tenant, a.reminder_id, a.emission, a.borrower_id, a.epoch, a.releases,
       r.allowed
  FROM attempts a
  JOIN reminders r USING (tenant, reminder_id)
 WHERE a.state = 'intent' AND a.ended_at IS NULL AND a.not_before <= clock_timestamp()
   AND (a.lease_until IS NULL OR a.lease_until < clock_timestamp())
 ORDER BY a.priority, a.created_at
 LIMIT $1
   FOR UPDATE OF a SKIP LOCKED

-- history
-- Attempts of these reminders that came to nothing, oldest first.
SELECT a.tenant, a.reminder_id, a.state, a.channel, a.contact_point_id,
       coalesce(a.retryable, false) AS retryable
  FROM attempts a
  JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant, reminder_id) USING (tenant, reminder_id)
 WHERE a.state IN ('rejected', 'not_sent', 'suppressed', 'deferred', 'lapsed')
 ORDER BY a.created_at

-- take
UPDATE attempts a
   SET owner = $6, epoch = a.epoch + 1, lease_until = clock_timestamp() + $7::interval,
       channel = given.channel, provider = given.provider, contact_point_id = given.contact_point_id
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
           AS given (attempt_id, tenant, channel, provider, contact_point_id)
 WHERE a.attempt_id = given.attempt_id AND a.tenant = given.tenant

-- put_back
-- Policy did not answer, or holds: the intent stays, and is redeemed again later under its id.
UPDATE attempts a
   SET lease_until = NULL, not_before = clock_timestamp() + $4::interval
  FROM unnest($1::uuid[], $2::text[], $3::int[]) AS given (attempt_id, tenant, epoch)
 WHERE a.attempt_id = given.attempt_id AND a.tenant = given.tenant AND a.epoch = given.epoch
   AND a.state = 'intent'

-- fly
-- Permission to write each request once.  The contact points are locked before they are looked at:
-- a STOP that was answered 2xx is seen here, or waits until this has committed.
WITH given AS MATERIALIZED (
    SELECT u.*
      FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::uuid[], $6::timestamptz[],
                  $7::timestamptz[])
               AS u (attempt_id, tenant, epoch, contact_point_id, permit_id, send_by, allowed_until)
      JOIN contact_points p USING (tenant, contact_point_id)
     WHERE p.blocked_at IS NULL AND p.unusable_at IS NULL
     ORDER BY p.tenant, p.contact_point_id
       FOR SHARE OF p
)
UPDATE attempts a
   SET state = 'in_flight', permit_id = g.permit_id, send_by = g.send_by,
       allowed_until = g.allowed_until, in_flight_at = clock_timestamp(),
       ended_at = clock_timestamp(), wire_deadline = clock_timestamp() + $8::interval,
       lease_until = clock_timestamp() + $8::interval + $9::interval
  FROM given g
 WHERE a.attempt_id = g.attempt_id AND a.tenant = g.tenant AND a.epoch = g.epoch
   AND a.state = 'intent' AND a.contact_point_id = g.contact_point_id
   AND clock_timestamp() < g.send_by
RETURNING a.attempt_id, g.send_by - clock_timestamp() AS remaining, policy.gate_now() AS at

-- refuse
-- The gate said no, or the permit came to nothing: `state` is deferred, suppressed or lapsed.
UPDATE attempts a
   SET state = given.state, code = given.code, ended_at = clock_timestamp(), lease_until = NULL
  FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[])
           AS given (attempt_id, tenant, epoch, state, code)
 WHERE a.attempt_id = given.attempt_id AND a.tenant = given.tenant AND a.epoch = given.epoch
   AND a.state = 'intent'
RETURNING a.attempt_id, a.tenant, a.reminder_id, a.emission, a.borrower_id, a.priority, a.releases,
          a.channel, a.provider, a.contact_point_id, a.state, a.code, policy.gate_now() AS at

-- why_grounded
-- Of intents that did not fly: is it still ours, and is its contact point still to be used?
SELECT a.attempt_id, a.tenant, p.blocked_at IS NOT NULL AS blocked,
       p.unusable_at IS NOT NULL AS unusable
  FROM attempts a
  JOIN unnest($1::uuid[], $2::text[], $3::int[]) AS given (attempt_id, tenant, epoch)
       ON a.attempt_id = given.attempt_id AND a.tenant = given.tenant AND a.epoch = given.epoch
  JOIN contact_points p ON p.tenant = a.tenant AND p.contact_point_id = a.contact_point_id
 WHERE a.state = 'intent'

-- still_flying
-- After a commit whose answer was lost: these are in flight, and nothing of them was written.
SELECT a.attempt_id
  FROM attempts a
  JOIN unnest($1::uuid[], $2::text[], $3::int[]) AS given (attempt_id, tenant, epoch)
       ON a.attempt_id = given.attempt_id AND a.tenant = given.tenant AND a.epoch = given.epoch
 WHERE a.state = 'in_flight'

-- complete
-- Fenced: only the flight that was permitted is completed.  Locked in the order of lock_attempts,
-- or a completion and the callbacks that overtake it wait for each other in a circle.
WITH given AS MATERIALIZED (
    SELECT u.*
      FROM unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::text[], $6::text[],
                  $7::bool[])
               AS u (attempt_id, tenant, epoch, state, provider_ref, code, retryable)
      JOIN attempts USING (attempt_id, tenant)
     ORDER BY attempt_id
       FOR NO KEY UPDATE OF attempts
)
UPDATE attempts a
   SET state = given.state, provider_ref = given.provider_ref, code = given.code,
       retryable = given.retryable, ended_at = clock_timestamp(), lease_until = NULL
  FROM given
 WHERE a.attempt_id = given.attempt_id AND a.tenant = given.tenant AND a.epoch = given.epoch
   AND a.state = 'in_flight'
RETURNING a.attempt_id, a.tenant, a.reminder_id, a.emission, a.borrower_id, a.priority, a.releases,
          a.channel, a.provider, a.contact_point_id, a.state, a.code, policy.gate_now() AS at

-- reminders_of
SELECT r.* FROM reminders r
  JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant, reminder_id) USING (tenant, reminder_id)
 ORDER BY 1, 2

-- fail_reminders
UPDATE reminders r SET failed_at = clock_timestamp(), reason = given.reason
  FROM unnest($1::text[], $2::uuid[], $3::text[]) AS given (tenant, reminder_id, reason)
 WHERE r.tenant = given.tenant AND r.reminder_id = given.reminder_id AND r.failed_at IS NULL

-- observe
INSERT INTO observations (tenant, attempt_id, source, state, status, provider_ref, code)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[])
ON CONFLICT DO NOTHING
RETURNING attempt_id, source, provider_ref, status

-- lock_attempts
SELECT a.attempt_id, a.tenant, a.reminder_id, a.emission, a.borrower_id, a.channel, a.provider,
       a.contact_point_id, a.state, policy.gate_now() AS at
  FROM attempts a
 WHERE a.attempt_id = ANY ($1::uuid[])
 ORDER BY a.attempt_id
   FOR NO KEY UPDATE

-- raise
UPDATE attempts a
   SET state = given.state, provider_ref = coalesce(a.provider_ref, given.provider_ref),
       code = given.code, ended_at = clock_timestamp(), lease_until = NULL
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[])
           AS given (attempt_id, tenant, state, provider_ref, code)
 WHERE a.attempt_id = given.attempt_id AND a.tenant = given.tenant

-- expire_leases
-- Nobody resumes a flight, not even its owner: what became of it is unknown.
UPDATE attempts a
   SET state = 'unknown', code = 'lease_expired', ended_at = clock_timestamp(), lease_until = NULL
 WHERE (a.attempt_id, a.tenant) IN (
           SELECT attempt_id, tenant FROM attempts
            WHERE state = 'in_flight' AND wire_deadline IS NOT NULL
              AND lease_until < clock_timestamp()
            ORDER BY wire_deadline LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING a.attempt_id, a.tenant, a.reminder_id, a.emission, a.borrower_id, a.priority, a.releases,
          a.channel, a.provider, a.contact_point_id, a.state, a.code, policy.gate_now() AS at

-- abandon
UPDATE attempts a
   SET state = 'abandoned', ended_at = clock_timestamp()
 WHERE (a.attempt_id, a.tenant) IN (
           SELECT attempt_id, tenant FROM attempts
            WHERE state = 'unknown' AND ended_at < clock_timestamp() - $2::interval
            ORDER BY ended_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING a.attempt_id, a.tenant, a.reminder_id, a.emission, a.borrower_id, a.priority, a.releases,
          a.channel, a.provider, a.contact_point_id, a.state, a.code, policy.gate_now() AS at

-- take_unknowns
-- Those asked about longest ago, none of them again at once: each has its turn, also one whose address
-- is gone.  They are picked before anything is joined, or every turn would read all that wait.
WITH picked AS MATERIALIZED (
    SELECT u.attempt_id, u.tenant
      FROM attempts u
     WHERE u.state = 'unknown' AND u.provider = ANY ($1::text[])
       AND u.in_flight_at < clock_timestamp() - $2::interval
       AND (u.looked_up_at IS NULL OR u.looked_up_at < clock_timestamp() - $2::interval)
     ORDER BY u.looked_up_at NULLS FIRST, u.ended_at LIMIT $3
       FOR NO KEY UPDATE SKIP LOCKED
), asked AS (
    UPDATE attempts a SET looked_up_at = clock_timestamp()
      FROM picked p
     WHERE a.attempt_id = p.attempt_id AND a.tenant = p.tenant
    RETURNING a.*
)
SELECT a.*, r.allowed, s.key_id, s.sealed
  FROM asked a
  JOIN reminders r USING (tenant, reminder_id)
  LEFT JOIN addresses s ON s.tenant = a.tenant AND s.borrower_id = a.borrower_id
        AND s.contact_point_id = a.contact_point_id

-- known_refs
-- References of other attempts at the same contact point.
SELECT provider_ref FROM attempts
 WHERE tenant = $1 AND contact_point_id = $2 AND provider_ref IS NOT NULL
   AND attempt_id <> $3

-- attempt
SELECT * FROM attempts WHERE attempt_id = $1 AND tenant = $2

-- attempts_of_reminder
SELECT * FROM attempts WHERE tenant = $1 AND reminder_id = $2 ORDER BY created_at

-- contact_point_of
SELECT tenant, contact_point_id FROM attempts
 WHERE attempt_id = $1 AND contact_point_id IS NOT NULL
