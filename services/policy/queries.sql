-- What is known of the borrowers of one batch: each statement takes arrays and is asked once.

-- borrowers_of
SELECT tenant, borrower_id, country, subdivision, city, zones, bases, household_id
  FROM borrowers WHERE borrower_id = ANY ($1::uuid[])

-- members_of
SELECT tenant, household_id, borrower_id FROM borrowers WHERE household_id = ANY ($1::uuid[])

-- points_of
-- Shared: another borrower has, or had, the same contact point.
SELECT p.tenant, p.borrower_id, p.contact_point_id, p.kind, p.channels, p.zones, p.bases,
       p.usable, p.place, p.provided_by,
       EXISTS (SELECT FROM contact_points o
                WHERE o.contact_point_id = p.contact_point_id AND o.tenant = p.tenant
                  AND o.borrower_id <> p.borrower_id) AS shared
  FROM contact_points p WHERE p.borrower_id = ANY ($1::uuid[])
 ORDER BY p.borrower_id, p.contact_point_id

-- debts_of
SELECT d.tenant, d.loan_id, d.installment_number, d.borrower_id, d.outstanding_minor, d.currency,
       d.product, d.role, d.account, d.creditor, d.source, d.time_barred, d.in_procedures,
       d.missed_meetings
  FROM unnest($1::text[], $2::text[], $3::int[]) AS wanted (tenant, loan_id, installment_number)
  JOIN debts d USING (tenant, loan_id, installment_number)

-- stops_of
-- The borrowers' own, and those on a contact point they have, whoever gave them.
SELECT s.tenant, s.stop_id, s.borrower_id AS owner, s.kind, s.received_at, s.form, s.from_date,
       s.until_date, s.loan_ids, s.channels, s.contact_point_ids, s.purposes, s.places, s.persons,
       s.basis_ended,
       (SELECT min(e.ended_at) FROM stop_ends e
         WHERE e.stop_id = s.stop_id AND e.tenant = s.tenant
           AND e.on_word_of = ANY (s.may_lift)) AS ended_at
  FROM (SELECT * FROM stops WHERE borrower_id = ANY ($1::uuid[])
         UNION
        SELECT s.* FROM stop_points p JOIN stops s USING (tenant, stop_id)
         WHERE p.contact_point_id = ANY ($2::text[])) AS s

-- consents_of
SELECT c.tenant, c.borrower_id, c.kind, c.given_to, c.received_at, c.form, c.until_date,
       c.loan_ids, c.channels, c.contact_point_ids, c.from_clock, c.to_clock, c.days,
       e.revoked_at
  FROM consents c LEFT JOIN consent_ends e USING (tenant, consent_id)
 WHERE c.borrower_id = ANY ($1::uuid[])

-- preferences_of
SELECT tenant, borrower_id, kind, from_clock, to_clock, days, zone, received_at, withdrawn_at
  FROM preferences WHERE borrower_id = ANY ($1::uuid[])

-- notices_of
SELECT tenant, borrower_id, kind, sent_at, returned_at, period_ends, loan_ids
  FROM notices WHERE borrower_id = ANY ($1::uuid[]) ORDER BY sent_at, notice_id

-- duties_of
SELECT tenant, borrower_id, kind, since, since_date, done_at, loan_ids
  FROM duties WHERE borrower_id = ANY ($1::uuid[]) ORDER BY recorded_at, duty_id

-- reminders_of
-- Locked: the sweep of those held and the consumer may ask about the same reminder.
SELECT * FROM reminders WHERE reminder_id = ANY ($1::uuid[])
 ORDER BY reminder_id, tenant FOR UPDATE

-- cancelled_of
SELECT tenant, reminder_id FROM cancelled WHERE reminder_id = ANY ($1::uuid[])

-- remember
-- The state of each reminder after this answer.  A row less than given: somebody else was first.
INSERT INTO reminders (tenant, reminder_id, borrower_id, emission, days_from_due, days_past_due,
                       priority, channels, decision_id, decided_at, digest, held_code)
SELECT r.tenant, r.reminder_id, r.borrower_id, r.emission, r.days_from_due, r.days_past_due,
       r.priority, string_to_array(r.channels, ','), r.decision_id, r.decided_at, r.digest,
       r.held_code
  FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::int[], $5::int[], $6::int[], $7::int[],
              $8::text[], $9::uuid[], $10::timestamptz[], $11::bytea[], $12::text[])
    AS r (tenant, reminder_id, borrower_id, emission, days_from_due, days_past_due, priority,
          channels, decision_id, decided_at, digest, held_code)
    ON CONFLICT (reminder_id, tenant) DO UPDATE
   SET emission = excluded.emission, days_from_due = excluded.days_from_due,
       days_past_due = excluded.days_past_due, priority = excluded.priority,
       channels = excluded.channels, decision_id = excluded.decision_id,
       decided_at = excluded.decided_at, digest = excluded.digest,
       held_code = excluded.held_code
 WHERE reminders.emission < excluded.emission OR reminders.held_code IS NOT NULL
RETURNING 1

-- remember_refusals
-- Hand-off said no: this emission stays refused, whoever asks again.
UPDATE reminders t
   SET refused_emission = r.emission, refused_verdict = r.verdict, refused_until = r.until,
       refused_code = r.code, refused_rule = r.rule, waits = r.waits,
       decision_id = r.decision_id, decided_at = r.decided_at, digest = r.digest,
       barred = CASE WHEN r.barred IS NULL THEN t.barred ELSE array_append(t.barred, r.barred) END
  FROM unnest($1::text[], $2::uuid[], $3::int[], $4::text[], $5::timestamptz[], $6::text[],
              $7::text[], $8::int[], $9::uuid[], $10::timestamptz[], $11::bytea[], $12::text[])
    AS r (tenant, reminder_id, emission, verdict, until, code, rule, waits, decision_id,
          decided_at, digest, barred)
 WHERE t.tenant = r.tenant AND t.reminder_id = r.reminder_id

-- known_borrower
INSERT INTO borrowers (tenant, borrower_id, version, country, subdivision, city, zones, bases,
                       household_id)
SELECT b.tenant, b.borrower_id, b.version, b.country, b.subdivision, b.city,
       string_to_array(b.zones, ','), string_to_array(b.bases, ','), b.household_id
  FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::text[],
              $7::text[], $8::text[], $9::uuid[])
    AS b (tenant, borrower_id, version, country, subdivision, city, zones, bases, household_id)
    ON CONFLICT (borrower_id, tenant) DO UPDATE
   SET version = excluded.version, country = excluded.country, subdivision = excluded.subdivision,
       city = excluded.city, zones = excluded.zones, bases = excluded.bases,
       household_id = excluded.household_id
 WHERE borrowers.version < excluded.version

-- known_debt
WITH known AS (
    INSERT INTO debts (tenant, loan_id, installment_number, borrower_id, version,
                       outstanding_minor, currency, product, role, due_date, account, creditor,
                       source, time_barred, in_procedures, missed_meetings)
    SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::uuid[], $5::bigint[], $6::bigint[],
                         $7::text[], $8::text[], $9::text[], $10::date[], $11::text[], $12::text[],
                         $13::text[], $14::boolean[], $15::boolean[], $16::int[])
        ON CONFLICT (tenant, loan_id, installment_number) DO UPDATE
       SET borrower_id = excluded.borrower_id, version = excluded.version,
           outstanding_minor = excluded.outstanding_minor, currency = excluded.currency,
           product = excluded.product, role = excluded.role, due_date = excluded.due_date,
           account = excluded.account, creditor = excluded.creditor, source = excluded.source,
           time_barred = excluded.time_barred, in_procedures = excluded.in_procedures,
           missed_meetings = excluded.missed_meetings
     WHERE debts.version < excluded.version
    RETURNING new.tenant, new.borrower_id, new.loan_id, new.installment_number,
              old.outstanding_minor AS before_minor, new.outstanding_minor, new.currency
)
INSERT INTO debt_moves (tenant, borrower_id, loan_id, installment_number, before_minor,
                        outstanding_minor, currency, at)
SELECT known.*, policy.gate_now() FROM known WHERE before_minor <> outstanding_minor

-- known_feed
INSERT INTO feeds (tenant, source, partition, as_of, bound_seconds)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::int[])
    ON CONFLICT (tenant, source, partition) DO UPDATE
   SET as_of = excluded.as_of, bound_seconds = excluded.bound_seconds
 WHERE feeds.as_of <= excluded.as_of

-- known_point
INSERT INTO contact_points (tenant, borrower_id, contact_point_id, version, kind, channels,
                            country, zones, bases, usable, place, provided_by)
SELECT p.tenant, p.borrower_id, p.contact_point_id, p.version, p.kind,
       string_to_array(p.channels, ','), p.country, string_to_array(p.zones, ','),
       string_to_array(p.bases, ','), p.usable, p.place, p.provided_by
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[],
              $7::text[], $8::text[], $9::text[], $10::bool[], $11::text[], $12::text[])
    AS p (tenant, borrower_id, contact_point_id, version, kind, channels, country, zones, bases,
          usable, place, provided_by)
    ON CONFLICT (borrower_id, tenant, contact_point_id) DO UPDATE
   SET version = excluded.version, kind = excluded.kind, channels = excluded.channels,
       country = excluded.country, zones = excluded.zones, bases = excluded.bases,
       usable = excluded.usable, place = excluded.place, provided_by = excluded.provided_by
 WHERE contact_points.version < excluded.version

-- bury
INSERT INTO cancelled (tenant, reminder_id, version, reason, cancelled_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::timestamptz[])
    ON CONFLICT (reminder_id, tenant) DO NOTHING

-- record_stop
INSERT INTO stops (tenant, stop_id, borrower_id, kind, received_at, recorded_at, form, from_date,
                   until_date, loan_ids, channels, contact_point_ids, purposes, places, persons,
                   basis_ended, source, evidence, may_lift, told)
VALUES ($1, $2, $3, $4, least($5, policy.gate_now()), policy.gate_now(), $6, $7, $8, $9, $10, $11,
        $12, $13, $14, $15, $16, $17, $18, $19)
    ON CONFLICT (tenant, stop_id) DO NOTHING

-- stop_told
SELECT told FROM stops WHERE tenant = $1 AND stop_id = $2

-- record_stop_points
INSERT INTO stop_points (tenant, stop_id, contact_point_id)
SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING

-- end_stop
-- Ended twice: the later word counts for nothing, a stop once lifted is not lifted again.
INSERT INTO stop_ends (tenant, stop_id, ended_at, lifted_by, on_word_of, evidence, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, policy.gate_now())
    ON CONFLICT (stop_id, tenant, on_word_of) DO NOTHING

-- stop_subjects
SELECT borrower_id, contact_point_ids, may_lift FROM stops WHERE tenant = $1 AND stop_id = $2

-- record_consent
INSERT INTO consents (tenant, consent_id, borrower_id, kind, given_to, received_at, recorded_at,
                      form, until_date, loan_ids, channels, contact_point_ids, from_clock,
                      to_clock, days, source, told)
VALUES ($1, $2, $3, $4, $5, $6, policy.gate_now(), $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
    ON CONFLICT (tenant, consent_id) DO NOTHING

-- consent_told
SELECT told FROM consents WHERE tenant = $1 AND consent_id = $2

-- end_consent
-- The earliest withdrawal counts.
INSERT INTO consent_ends (tenant, consent_id, revoked_at, recorded_at)
VALUES ($1, $2, least($3, policy.gate_now()), policy.gate_now())
    ON CONFLICT (tenant, consent_id) DO UPDATE SET revoked_at = excluded.revoked_at
 WHERE consent_ends.revoked_at > excluded.revoked_at

-- consent_subjects
SELECT borrower_id FROM consents WHERE tenant = $1 AND consent_id = $2

-- record_preference
-- The same id again may only withdraw it.
INSERT INTO preferences (tenant, preference_id, borrower_id, kind, from_clock, to_clock, days,
                         zone, received_at, withdrawn_at, recorded_at, told)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, least($9, policy.gate_now()), $10, policy.gate_now(), $11)
    ON CONFLICT (tenant, preference_id) DO UPDATE SET withdrawn_at = excluded.withdrawn_at
 WHERE preferences.withdrawn_at IS NULL AND excluded.withdrawn_at IS NOT NULL
   AND coalesce(preferences.told, excluded.told) = excluded.told

-- preference_told
SELECT told FROM preferences WHERE tenant = $1 AND preference_id = $2

-- record_notice
-- The same id again may only say that it came back.
INSERT INTO notices (tenant, notice_id, borrower_id, kind, sent_at, returned_at, period_ends,
                     loan_ids, source, recorded_at, told)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, policy.gate_now(), $10)
    ON CONFLICT (notice_id, tenant) DO UPDATE SET returned_at = excluded.returned_at
 WHERE notices.returned_at IS NULL AND excluded.returned_at IS NOT NULL
   AND coalesce(notices.told, excluded.told) = excluded.told

-- notice_told
SELECT told FROM notices WHERE tenant = $1 AND notice_id = $2

-- record_duty
-- The same id again may only say that it is done.
INSERT INTO duties (tenant, duty_id, borrower_id, kind, since, since_date, done_at, loan_ids,
                    source, recorded_at, told)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, policy.gate_now(), $10)
    ON CONFLICT (duty_id, tenant) DO UPDATE SET done_at = excluded.done_at
 WHERE duties.done_at IS NULL AND excluded.done_at IS NOT NULL
   AND coalesce(duties.told, excluded.told) = excluded.told

-- duty_told
SELECT told FROM duties WHERE tenant = $1 AND duty_id = $2
