-- Statements on which packs are active for a tenant.

-- active
-- Of a pack that has several versions active, the latest to begin.
SELECT DISTINCT ON (tenant, pack) tenant, pack, version FROM activations
 WHERE tenant = ANY ($1::text[]) AND active_from <= $2 AND (ended_at IS NULL OR ended_at > $2)
 ORDER BY tenant, pack, active_from DESC, recorded_at DESC

-- pack_text
SELECT text FROM pack_texts WHERE tenant = $1 AND pack = $2 AND version = $3

-- kept_texts
SELECT version, text FROM pack_texts WHERE tenant = $1 AND pack = $2 ORDER BY version

-- kept_statuses
SELECT pack, version, text FROM pack_texts WHERE tenant = $1

-- feeds
-- A source is as old as its oldest partition.
SELECT tenant, source, bool_or($2 > as_of + make_interval(secs => bound_seconds)) AS too_old
  FROM feeds WHERE tenant = ANY ($1::text[]) GROUP BY tenant, source

-- keep_pack_text
INSERT INTO pack_texts (tenant, pack, version, text) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING

-- one_change_at_a_time
-- Packs are tried together before one begins: two changes at once would not see each other.
SELECT pg_advisory_xact_lock(hashtextextended($1, 0))

-- changes
-- $2, and every later instant at which other packs are active than before it.
SELECT $2::timestamptz AS at
 UNION
SELECT change FROM activations, unnest(ARRAY[active_from, ended_at]) AS change
 WHERE tenant = $1 AND change > $2
 ORDER BY at

-- supersede
-- A pack's earlier versions end when this one begins.
UPDATE activations SET ended_at = greatest($3, active_from), ended_by = $4, end_approved_by = $5
 WHERE tenant = $1 AND pack = $2 AND (ended_at IS NULL OR ended_at > $3)

-- activate
INSERT INTO activations (tenant, activation_id, pack, version, active_from, requested_by,
                         approved_by, restores, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, policy.gate_now())

-- deactivate
UPDATE activations
   SET ended_at = greatest($3, active_from), ended_by = $4, end_approved_by = $5, end_reason = $6
 WHERE tenant = $1 AND pack = $2 AND (ended_at IS NULL OR ended_at > $3)
RETURNING activation_id

-- activations
SELECT activation_id, pack, version, active_from, requested_by, approved_by, recorded_at,
       ended_at, ended_by, end_approved_by, end_reason, restores
  FROM activations WHERE tenant = $1 ORDER BY pack, active_from, recorded_at
