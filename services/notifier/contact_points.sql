-- Statements on contact points that are dead, or alive again.

-- spoil
UPDATE contact_points p SET unusable_at = clock_timestamp(), unusable_code = given.code
  FROM (SELECT DISTINCT ON (1, 2) * FROM unnest($1::text[], $2::text[], $3::text[])
            AS u (tenant, contact_point_id, code)) AS given
 WHERE p.tenant = given.tenant AND p.contact_point_id = given.contact_point_id
   AND p.unusable_at IS NULL
RETURNING p.tenant, p.contact_point_id

-- revive
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
