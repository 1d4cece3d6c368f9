-- Statements on stops that were taken from a message in doubt, for a person to look at.

-- open_reviews
SELECT r.review_id, r.contact_point_id, r.channel, r.message_ref, r.word_class, r.languages,
       r.received_at,
       (SELECT coalesce(array_agg(a.borrower_id ORDER BY a.borrower_id), '{}') FROM addresses a
         WHERE a.tenant = r.tenant AND a.contact_point_id = r.contact_point_id
           AND a.removed_at IS NULL) AS borrower_ids
  FROM reviews r
 WHERE r.tenant = $1 AND r.settled_at IS NULL
 ORDER BY r.received_at, r.review_id LIMIT $2

-- count_open_reviews
SELECT count(*) FROM reviews WHERE settled_at IS NULL

-- settled_reviews
SELECT r.review_id, r.contact_point_id, r.channel, r.message_ref, r.word_class, r.languages,
       r.received_at, r.settled_as, r.settled_by, r.reason, r.settled_at
  FROM reviews r
 WHERE r.tenant = $1 AND r.settled_at IS NOT NULL
 ORDER BY r.settled_at DESC, r.review_id LIMIT $2

-- lock_review
-- The contact point first: a stop that arrives meanwhile waits, or is seen by what is read next.
SELECT p.contact_point_id FROM contact_points p
  JOIN reviews r USING (tenant, contact_point_id)
 WHERE r.tenant = $1 AND r.review_id = $2
   FOR UPDATE OF p

-- review
SELECT review_id, contact_point_id, settled_as, settled_by, reason, settled_at
  FROM reviews WHERE tenant = $1 AND review_id = $2 FOR UPDATE

-- settle
UPDATE reviews SET settled_as = $3, settled_by = $4, reason = $5, settled_at = $6
 WHERE tenant = $1 AND review_id = $2 AND settled_at IS NULL
RETURNING settled_at

-- end_reply
UPDATE replies SET ended_at = $3 WHERE tenant = $1 AND reply_id = $2 AND ended_at IS NULL

-- end_stops_of_reply
UPDATE forwarded_stops SET ended_at = $3, ended_by = $4
 WHERE tenant = $1 AND reply_id = $2 AND ended_at IS NULL

-- unblock_unless_stopped_again
-- Another message that said stop keeps the point blocked.
UPDATE contact_points p SET blocked_at = NULL
 WHERE p.tenant = $1 AND p.contact_point_id = $2
   AND NOT EXISTS (SELECT FROM replies r
                    WHERE r.tenant = p.tenant AND r.contact_point_id = p.contact_point_id
                      AND r.meaning = 'stop' AND r.ended_at IS NULL)
RETURNING p.contact_point_id
