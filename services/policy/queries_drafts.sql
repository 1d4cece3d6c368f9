-- Statements on a tenant's own packs: drafted, checked, approved.

-- draft
-- The same text twice is one draft: the first to write it is its drafter.
INSERT INTO drafts (tenant, pack, version, text, drafted_by, drafted_at)
VALUES ($1, $2, $3, $4, $5, policy.gate_now()) ON CONFLICT DO NOTHING

-- drafts_of
SELECT pack, version, text, drafted_by, drafted_at, cases_right, checked_at, approved_by,
       approved_at,
       loosenings_of(tenant, pack, version) AS loosenings
  FROM drafts WHERE tenant = $1 AND pack = $2 ORDER BY number DESC

-- drafts
SELECT pack, version, text, drafted_by, drafted_at, cases_right, checked_at, approved_by,
       approved_at,
       loosenings_of(tenant, pack, version) AS loosenings
  FROM drafts WHERE tenant = $1 ORDER BY pack, number

-- checked
UPDATE drafts SET cases = $4, cases_right = $5, checked_at = policy.gate_now()
 WHERE tenant = $1 AND pack = $2 AND version = $3

-- approve
UPDATE drafts SET approved_by = $4, approved_at = policy.gate_now()
 WHERE tenant = $1 AND pack = $2 AND version = $3

-- accept_loosening
INSERT INTO loosenings (tenant, pack, version, rule, accepted_by, accepted_at)
SELECT $1, $2, $3, rule, $4, policy.gate_now() FROM unnest($5::text[]) AS rule

-- deciding
-- What decides or is scheduled to, of one pack.
SELECT DISTINCT version, text FROM activations JOIN pack_texts USING (tenant, pack, version)
 WHERE tenant = $1 AND pack = $2 AND (ended_at IS NULL OR ended_at > greatest($3, active_from))
