-- Statements on the decision log and on what is held.

-- count_repeats
-- The same refusal again, for the same reason on the same facts: counted, not repeated.
UPDATE decisions d SET repeats = d.repeats + 1, last_at = $5, until = r.until
  FROM unnest($1::text[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
    AS r (tenant, decision_id, decided_at, until)
 WHERE d.tenant = r.tenant AND d.decision_id = r.decision_id AND d.decided_at = r.decided_at

-- log_facts
INSERT INTO decision_facts (tenant, facts_hash, facts)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::json[]) ON CONFLICT DO NOTHING

-- log_rule_sets
-- A set's other texts were kept when they were activated.
WITH new AS (
    INSERT INTO rule_sets (tenant, version, packs, first_at)
    SELECT s.*, $4 FROM unnest($1::text[], $2::text[], $3::json[]) AS s (tenant, version, packs)
        ON CONFLICT (tenant, version) DO NOTHING
    RETURNING tenant, version
)
INSERT INTO pack_texts (tenant, pack, version, text)
SELECT DISTINCT new.tenant, a.pack, a.version, a.text
  FROM new JOIN unnest($1::text[], $2::text[], $5::text[], $6::text[], $7::text[])
                  AS a (tenant, rule_set, pack, version, text)
             ON a.tenant = new.tenant AND a.rule_set = new.version
    ON CONFLICT DO NOTHING

-- months
-- The partitions that business time will need next; made ahead of it.
SELECT to_char(month, 'YYYY_MM') AS name, month, month + interval '1 month' AS next
  FROM generate_series(date_trunc('month', policy.gate_now() AT TIME ZONE 'UTC'),
                       date_trunc('month', policy.gate_now() AT TIME ZONE 'UTC')
                       + interval '2 months', interval '1 month') AS month
 WHERE to_regclass('decisions_' || to_char(month, 'YYYY_MM')) IS NULL

-- hold
INSERT INTO held (tenant, reminder_id, borrower_id, emission, code, held_since, valid_until,
                  tries, retry_at, due)
SELECT h.tenant, h.reminder_id, h.borrower_id, h.emission, h.code, policy.gate_now(),
       h.valid_until, 0, clock_timestamp() + interval '0.5 seconds', h.due
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::timestamptz[],
              $7::bytea[])
    AS h (tenant, reminder_id, borrower_id, emission, code, valid_until, due)
    ON CONFLICT (reminder_id, tenant) DO UPDATE
   SET emission = excluded.emission, code = excluded.code, valid_until = excluded.valid_until,
       due = excluded.due, tries = held.tries + 1,
       held_since = CASE WHEN held.emission = excluded.emission THEN held.held_since
                         ELSE excluded.held_since END,
       -- doubling up to the slow sweep's hour
       retry_at = clock_timestamp() + least(interval '1 hour',
                                            interval '0.5 seconds' * 2 ^ least(held.tries + 1, 13))

-- let_go
DELETE FROM held h USING unnest($1::text[], $2::uuid[]) AS r (tenant, reminder_id)
 WHERE h.tenant = r.tenant AND h.reminder_id = r.reminder_id

-- held_of_borrowers
-- In key order, as every locker of these rows takes them.
SELECT h.due
  FROM held h JOIN unnest($1::text[], $2::uuid[]) AS wanted (tenant, borrower_id)
              USING (tenant, borrower_id)
 ORDER BY h.tenant, h.reminder_id
   FOR UPDATE OF h

-- held_to_retry
-- What ran out, and what waited long enough; another replica's are skipped.
SELECT due FROM held
 WHERE valid_until <= policy.gate_now() OR retry_at <= clock_timestamp()
 ORDER BY tenant, reminder_id LIMIT $1
   FOR UPDATE SKIP LOCKED

-- hasten
-- Rules have changed: ask again now.  The rows in key order, as every locker of them takes them.
WITH waiting AS (
    SELECT tenant, reminder_id FROM held WHERE tenant = $1 ORDER BY 1, 2 FOR UPDATE
)
UPDATE held h SET retry_at = clock_timestamp(), tries = 0
  FROM waiting w WHERE h.tenant = w.tenant AND h.reminder_id = w.reminder_id

-- hasten_what_changed
-- An activation that was recorded for later has begun, or ended: ask again now.  In key order, too.
WITH changed AS (
    SELECT tenant, activation_id FROM activations
     WHERE next_change <= policy.gate_now()
       FOR UPDATE SKIP LOCKED
), noticed AS (
    UPDATE activations a
       SET begin_noticed = true, end_noticed = coalesce(a.ended_at <= policy.gate_now(), false)
      FROM changed c WHERE a.tenant = c.tenant AND a.activation_id = c.activation_id
    RETURNING a.tenant
), waiting AS (
    SELECT tenant, reminder_id FROM held WHERE tenant IN (SELECT tenant FROM noticed)
     ORDER BY tenant, reminder_id FOR UPDATE
)
UPDATE held h SET retry_at = clock_timestamp(), tries = 0
  FROM waiting w WHERE h.tenant = w.tenant AND h.reminder_id = w.reminder_id

-- held_list
SELECT reminder_id, borrower_id, emission, code, held_since, valid_until
  FROM held WHERE tenant = $1 ORDER BY held_since, reminder_id LIMIT $2

-- held_counts
SELECT code, count(*) AS count FROM held GROUP BY code
