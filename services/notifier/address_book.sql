-- Statements on the lenders' lists: who is reached where.

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
-- Locked: what a provider says of a contact point meanwhile raises its version, too.
SELECT a.tenant, a.borrower_id, a.contact_point_id, a.position, a.given_version, a.version,
       a.removed_at IS NOT NULL AS removed, a.place, a.provided_by,
       coalesce(a.given_kind, p.kind) AS kind
  FROM addresses a
  JOIN contact_points p USING (tenant, contact_point_id)
 WHERE (a.tenant, a.borrower_id) IN (SELECT * FROM unnest($1::text[], $2::uuid[]))
 ORDER BY a.tenant, a.borrower_id, a.contact_point_id
   FOR NO KEY UPDATE OF a

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
