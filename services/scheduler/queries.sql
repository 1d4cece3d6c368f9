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
-- Whose a loan is and in which currency, by any fact that said so: they agree, or are refused.
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
         ORDER BY currency NULLS LAST LIMIT 1) AS fact;

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

-- one_watermark_at_a_time
-- Two members that each record some partitions would not see each other's, and neither move the feed.
SELECT pg_advisory_xact_lock(hashtextextended('watermark ' || tenant || ' ' || source, 0))
  FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[]) AS n (tenant, source)
         ORDER BY tenant, source) AS named;

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

-- loan_versions
SELECT tenant, loan_id, version
  FROM loans
  JOIN unnest($1::text[], $2::text[]) AS named (tenant, loan_id) USING (tenant, loan_id);

-- loans_of_cadence
SELECT tenant, loan_id, borrower_id
  FROM loans
 WHERE cadence = $1 AND (loan_id, tenant) > ($3, $2)
 ORDER BY loan_id, tenant
 LIMIT $4;

-- cadence_digests
SELECT name, digest FROM cadences;

-- begin_cadence
INSERT INTO cadences (name, digest) VALUES ($1, '')
ON CONFLICT (name) DO UPDATE SET digest = '';

-- keep_cadence_digest
-- No row: it was forgotten since the walk began, and is walked again.
UPDATE cadences SET digest = $2 WHERE name = $1;

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
