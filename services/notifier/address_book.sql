-- Statements on contact points and addresses.

-- know_tenants
INSERT INTO tenants SELECT DISTINCT t FROM unnest($1::text[]) AS t ON CONFLICT DO NOTHING

-- tenants
SELECT tenant FROM tenants

-- know_points
INSERT INTO contact_points (tenant, contact_point_id, kind, country, zones)
SELECT DISTINCT ON (1, 2) *
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[])
 ORDER BY 1, 2
ON CONFLICT DO NOTHING

-- open_books
INSERT INTO address_books (tenant, borrower_id, version)
SELECT DISTINCT tenant, borrower_id, 0
  FROM unnest($1::text[], $2::uuid[]) AS given (tenant, borrower_id)
 ORDER BY 1, 2
ON CONFLICT DO NOTHING

-- lock_books
SELECT b.tenant, b.borrower_id, b.version
  FROM address_books b
 WHERE (b.tenant, b.borrower_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
 ORDER BY 1, 2
   FOR UPDATE

-- addresses_of
SELECT a.tenant, a.borrower_id, a.contact_point_id, a.position, a.given_version, a.version,
       a.removed_at IS NOT NULL AS removed, a.place, a.provided_by,
       coalesce(a.given_kind, p.kind) AS kind
  FROM addresses a
  JOIN contact_points p USING (tenant, contact_point_id)
 WHERE (a.tenant, a.borrower_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))

-- save_books
UPDATE address_books b SET version = given.version
  FROM unnest($1::text[], $2::uuid[], $3::bigint[]) AS given (tenant, borrower_id, version)
 WHERE b.tenant = given.tenant AND b.borrower_id = given.borrower_id

-- save_addresses
INSERT INTO addresses (tenant, borrower_id, contact_point_id, position, key_id, sealed,
                       given_version, version, given_kind, place, provided_by, removed_at)
SELECT tenant, borrower_id, contact_point_id, position, key_id, sealed, given_version, version,
       given_kind, place, provided_by, CASE WHEN sealed IS NULL THEN clock_timestamp() END
  FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::text[], $6::bytea[],
              $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[])
           AS given (tenant, borrower_id, contact_point_id, position, key_id, sealed,
                     given_version, version, given_kind, place, provided_by)
ON CONFLICT (tenant, borrower_id, contact_point_id) DO UPDATE
   SET position = excluded.position, key_id = excluded.key_id, sealed = excluded.sealed,
       given_version = excluded.given_version, version = excluded.version,
       given_kind = excluded.given_kind, place = excluded.place,
       provided_by = excluded.provided_by, removed_at = excluded.removed_at

-- points_of
SELECT contact_point_id, tenant, country, zones, unusable_at IS NULL AS usable
  FROM contact_points
 WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))

-- usable_addresses
-- What these borrowers may be reached at, in the lender's order.
SELECT a.tenant, a.borrower_id, a.contact_point_id, a.key_id, a.sealed,
       coalesce(a.given_kind, p.kind) AS kind
  FROM addresses a
 CROSS JOIN LATERAL (SELECT kind, unusable_at, blocked_at FROM contact_points
                      WHERE tenant = a.tenant AND contact_point_id = a.contact_point_id
                      LIMIT 1) AS p
 WHERE (a.tenant, a.borrower_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
   AND a.removed_at IS NULL AND p.unusable_at IS NULL AND p.blocked_at IS NULL
 ORDER BY a.tenant, a.borrower_id, a.position

-- spoil_points
UPDATE contact_points p SET unusable_at = clock_timestamp(), unusable_code = given.code
  FROM (SELECT DISTINCT ON (1, 2) * FROM unnest($1::text[], $2::text[], $3::text[])
            AS u (tenant, contact_point_id, code)) AS given
 WHERE p.tenant = given.tenant AND p.contact_point_id = given.contact_point_id
   AND p.unusable_at IS NULL
RETURNING p.tenant, p.contact_point_id

-- revive_points
UPDATE contact_points SET unusable_at = NULL, unusable_code = NULL
 WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
   AND unusable_at IS NOT NULL
RETURNING tenant, contact_point_id

-- raise_versions
UPDATE addresses a SET version = a.version + 1
  FROM contact_points p
 WHERE (a.tenant, a.contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
   AND a.removed_at IS NULL
   AND p.tenant = a.tenant AND p.contact_point_id = a.contact_point_id
RETURNING a.tenant, a.borrower_id, a.contact_point_id, a.version, a.place, a.provided_by,
          coalesce(a.given_kind, p.kind) AS kind, p.country, p.zones, p.unusable_at IS NULL AS usable

-- block_points
-- Waits for flights that hold the row; from the commit on none can begin.
UPDATE contact_points SET blocked_at = coalesce(blocked_at, clock_timestamp())
 WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
RETURNING tenant, contact_point_id

-- unblock_points
UPDATE contact_points SET blocked_at = NULL
 WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))

-- owners
SELECT p.tenant, p.contact_point_id, a.borrower_id
  FROM contact_points p
  LEFT JOIN addresses a ON a.tenant = p.tenant AND a.contact_point_id = p.contact_point_id
        AND a.removed_at IS NULL
 WHERE (p.tenant, p.contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
 ORDER BY 1, 2, 3

-- add_reply
INSERT INTO replies (tenant, reply_id, contact_point_id, meaning, received_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING reply_id

-- end_replies
UPDATE replies SET ended_at = $3
 WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
   AND meaning = 'stop' AND ended_at IS NULL

-- add_reviews
INSERT INTO reviews (tenant, review_id, contact_point_id, channel, message_ref, word_class,
                     languages, received_at)
SELECT n.*, $4, $5, $6, $7, $8
  FROM unnest($1::text[], $2::uuid[], $3::text[]) AS n (tenant, review_id, contact_point_id)

-- start_over
-- The person has answered the question themselves.
UPDATE reviews SET settled_as = 'started', settled_by = 'borrower', reason = 'said start',
                   settled_at = $3
 WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
   AND settled_at IS NULL

-- add_stops
INSERT INTO forwarded_stops
    (tenant, stop_id, reply_id, contact_point_id, borrower_id, channel, received_at)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::text[],
                     $7::timestamptz[])
ON CONFLICT DO NOTHING

-- end_stops
UPDATE forwarded_stops SET ended_at = $3, ended_by = 'borrower'
 WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
   AND ended_at IS NULL

-- stops_to_forward
SELECT * FROM forwarded_stops
 WHERE (recorded_at IS NULL OR (ended_at IS NOT NULL AND lifted_at IS NULL))
   AND (refused_at IS NULL OR refused_at < clock_timestamp() - $2::interval)
 ORDER BY received_at LIMIT $1

-- stop_recorded
UPDATE forwarded_stops SET recorded_at = clock_timestamp(), refused_at = NULL
 WHERE tenant = $1 AND stop_id = $2

-- stop_lifted
UPDATE forwarded_stops SET lifted_at = clock_timestamp(), refused_at = NULL
 WHERE tenant = $1 AND stop_id = $2

-- stop_refused
UPDATE forwarded_stops SET refused_at = clock_timestamp()
 WHERE tenant = $1 AND stop_id = $2
