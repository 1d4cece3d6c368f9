-- Statements of the PostgreSQL stream.

-- make_partitions
INSERT INTO stream.partitions (topic, partition)
SELECT t, n FROM unnest($1::text[], $2::int[]) AS u (t, many), generate_series(0, many - 1) AS n
ON CONFLICT DO NOTHING

-- partition_counts
SELECT topic, count(*)::int AS many FROM stream.partitions GROUP BY topic

-- append
SELECT stream.append($1, $2, $3, $4, $5)

-- poll
-- The partitions come in the order of their turn: the limit cuts off the last ones.
SELECT a.topic, a.partition, m.message_offset, m.key, m.value, m.headers
  FROM unnest($1::text[], $2::int[], $3::bigint[])
       WITH ORDINALITY AS a (topic, partition, position, turn)
 CROSS JOIN LATERAL (
       SELECT message_offset, key, value, headers FROM stream.messages
        WHERE topic = a.topic AND partition = a.partition AND message_offset >= a.position
        ORDER BY message_offset LIMIT $4) m
 ORDER BY a.turn, m.message_offset
 LIMIT $4

-- bounds
SELECT p.topic, p.partition, p.next_offset,
       coalesce((SELECT m.message_offset FROM stream.messages m
                  WHERE m.topic = p.topic AND m.partition = p.partition
                  ORDER BY m.message_offset LIMIT 1), p.next_offset) AS first_offset
  FROM stream.partitions p
 WHERE (p.topic, p.partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))

-- commit
INSERT INTO stream.commits AS c (consumer_group, topic, partition, next_offset)
SELECT $1, t, n, o FROM unnest($2::text[], $3::int[], $4::bigint[]) AS u (t, n, o) ORDER BY t, n
ON CONFLICT (consumer_group, topic, partition)
DO UPDATE SET next_offset = excluded.next_offset WHERE c.next_offset < excluded.next_offset

-- make_leases
INSERT INTO stream.leases (consumer_group, topic, partition)
SELECT $1, topic, partition FROM stream.partitions WHERE topic = ANY ($2::text[])
ON CONFLICT DO NOTHING

-- make_commits
-- From the moment a group exists, nothing it has not read is dropped.
INSERT INTO stream.commits (consumer_group, topic, partition, next_offset)
SELECT $1, topic, partition, 0 FROM stream.partitions WHERE topic = ANY ($2::text[])
ON CONFLICT DO NOTHING

-- beat
INSERT INTO stream.members (consumer_group, member_id, topics, expires_at)
VALUES ($1, $2, $3, clock_timestamp() + $4::interval)
ON CONFLICT (consumer_group, member_id) DO UPDATE SET expires_at = excluded.expires_at
RETURNING xmax = 0 AS joined

-- live_members
SELECT member_id, topics FROM stream.members
 WHERE consumer_group = $1 AND expires_at > clock_timestamp() ORDER BY member_id

-- group_partitions
SELECT topic, partition FROM stream.leases WHERE consumer_group = $1 ORDER BY topic, partition

-- release
UPDATE stream.leases SET member_id = NULL, expires_at = '-infinity'
 WHERE consumer_group = $1 AND member_id = $2
   AND (topic, partition) NOT IN (SELECT * FROM unnest($3::text[], $4::int[]))
RETURNING topic, partition

-- acquire
-- What is free, expired or already ours; a lease that somebody else holds is waited for.
UPDATE stream.leases l
   SET member_id = $2, expires_at = clock_timestamp() + $5::interval,
       generation = generation + (member_id IS DISTINCT FROM $2)::int
 WHERE consumer_group = $1
   AND (topic, partition) IN (SELECT * FROM unnest($3::text[], $4::int[]))
   AND (member_id IS NULL OR member_id = $2 OR expires_at < clock_timestamp())
RETURNING topic, partition, generation

-- leave
DELETE FROM stream.members WHERE consumer_group = $1 AND member_id = $2

-- forget_dead_members
DELETE FROM stream.members WHERE expires_at < clock_timestamp() - interval '1 minute'

-- tell_members
SELECT pg_notify('dunwell_stream_members', $1)

-- drop_read
-- Old messages below every group's committed offset; a topic that no group reads goes by age alone.
-- A message that some group has still to read stays, however old it is.
DELETE FROM stream.messages
 WHERE (topic, partition, message_offset) IN (
       SELECT m.topic, m.partition, m.message_offset
         FROM stream.partitions p
         LEFT JOIN LATERAL (SELECT min(c.next_offset) AS next_offset FROM stream.commits c
                             WHERE c.topic = p.topic AND c.partition = p.partition) read ON true
        CROSS JOIN LATERAL (
              SELECT x.topic, x.partition, x.message_offset FROM stream.messages x
               WHERE x.topic = p.topic AND x.partition = p.partition
                 AND x.message_offset < coalesce(read.next_offset, p.next_offset)
                 AND x.appended_at < clock_timestamp() - CASE
                     WHEN read.next_offset IS NULL THEN $2::interval ELSE $1::interval END
               ORDER BY x.message_offset LIMIT 2000) m)

-- take_retention
SELECT pg_try_advisory_xact_lock(7265402)
