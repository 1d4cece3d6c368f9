-- Statements of the stored positions.

-- take_over
-- Raises the epochs: whoever held these partitions can't commit any more.
INSERT INTO stream_positions AS s (consumer_group, topic, partition, epoch, next_offset)
SELECT $1, t, n, 1, o FROM unnest($2::text[], $3::int[], $4::bigint[]) AS u (t, n, o) ORDER BY t, n
ON CONFLICT (consumer_group, topic, partition) DO UPDATE SET epoch = s.epoch + 1
RETURNING topic, partition, epoch, next_offset

-- move
-- The guard: the first statement of every batch's transaction.
UPDATE stream_positions s SET next_offset = u.n
  FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[])
       AS u (topic, partition, epoch, m, n)
 WHERE s.consumer_group = $1 AND s.topic = u.topic AND s.partition = u.partition
   AND s.epoch = u.epoch AND s.next_offset = u.m
RETURNING s.topic, s.partition

-- stored
SELECT topic, partition, epoch, next_offset FROM stream_positions
 WHERE consumer_group = $1 AND (topic, partition) IN (SELECT * FROM unnest($2::text[], $3::int[]))
