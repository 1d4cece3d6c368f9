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

-- end
-- A pack's versions end at $3; those that begin later never do.  An end that was scheduled stays on
-- record.  Returns each as it was.
UPDATE activations a
   SET ended_at = greatest($3, was.active_from), ended_by = $4, end_approved_by = $5,
       end_reason = $6,
       ends_called_off = was.ends_called_off || CASE WHEN was.ended_at IS NULL THEN '[]' ELSE
           jsonb_build_array(jsonb_build_object(
               'ended_at', was.ended_at, 'ended_by', was.ended_by,
               'end_approved_by', was.end_approved_by, 'end_reason', was.end_reason)) END
  FROM activations was
 WHERE was.tenant = $1 AND was.pack = $2
   AND (was.ended_at IS NULL OR was.ended_at > greatest($3, was.active_from))
   AND (a.tenant, a.activation_id) = (was.tenant, was.activation_id)
RETURNING was.version, was.active_from, was.requested_by, was.approved_by, was.ended_at,
          was.ended_by, was.end_approved_by, was.end_reason,
          was.active_from > policy.gate_now() AND was.active_from >= $3 AS never_begins,
          -- Not where its end was the beginning of the next version.
          was.ended_at IS NOT NULL AND NOT EXISTS (
              SELECT FROM activations next
               WHERE next.tenant = was.tenant AND next.pack = was.pack
                 AND next.active_from = was.ended_at
                 AND (next.ended_at IS NULL OR next.ended_at > next.active_from)) AS was_the_end

-- activate
INSERT INTO activations (tenant, activation_id, pack, version, active_from, requested_by,
                         approved_by, restores, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, policy.gate_now())

-- rolled_back_at
-- When a roll-back last put another version in this one's place.
SELECT max(r.active_from) FROM activations r JOIN activations a USING (tenant, pack)
 WHERE tenant = $1 AND pack = $2 AND a.version = $3
   AND r.restores IS NOT NULL AND r.version <> a.version AND r.active_from = a.ended_at

-- activations
-- Of a tenant's own pack with who drafted and approved its text; of a shipped one nobody did.
SELECT a.activation_id, a.pack, a.version, a.active_from, a.requested_by, a.approved_by,
       a.recorded_at, a.ended_at, a.ended_by, a.end_approved_by, a.end_reason, a.ends_called_off,
       a.restores, d.drafted_by, d.drafted_at, d.approved_by AS draft_approved_by,
       d.approved_at AS draft_approved_at,
       loosenings_of(a.tenant, a.pack, a.version) AS loosenings
  FROM activations a LEFT JOIN drafts d USING (tenant, pack, version)
 WHERE a.tenant = $1 ORDER BY a.pack, a.active_from, a.recorded_at
