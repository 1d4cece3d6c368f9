-- Statements on what a person said: our own block, the stops that policy must hear of, reviews.

-- block_points
-- Waits for flights that hold the row; from the commit on none can begin.
-- In the order in which flights lock them.
WITH points AS MATERIALIZED (
    SELECT tenant, contact_point_id FROM contact_points
     WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
     ORDER BY 1, 2
       FOR NO KEY UPDATE
)
UPDATE contact_points p SET blocked_at = coalesce(p.blocked_at, clock_timestamp()) FROM points
 WHERE p.tenant = points.tenant AND p.contact_point_id = points.contact_point_id
RETURNING p.tenant, p.contact_point_id

-- started_since
-- Has the person said start here after this attempt left?  Locks the contact point: a start that is
-- being written is waited for.
SELECT p.started_at > a.in_flight_at
  FROM contact_points p
  JOIN attempts a USING (tenant)
 WHERE p.tenant = $1 AND p.contact_point_id = $2 AND a.attempt_id = $3
   FOR NO KEY UPDATE OF p

-- start_points
WITH points AS MATERIALIZED (
    SELECT tenant, contact_point_id FROM contact_points
     WHERE (tenant, contact_point_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
     ORDER BY 1, 2
       FOR NO KEY UPDATE
)
UPDATE contact_points p SET blocked_at = NULL, started_at = clock_timestamp() FROM points
 WHERE p.tenant = points.tenant AND p.contact_point_id = points.contact_point_id

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
