-- Statements of the outbox.

-- put
INSERT INTO outbox (topic, key, value, headers, partition)
SELECT t, k, v, h, p
  FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bytea[], $5::int[])
       WITH ORDINALITY AS u (t, k, v, h, p, place)
 ORDER BY place

-- waiting
SELECT EXISTS (SELECT 1 FROM outbox ORDER BY id LIMIT 1)

-- take_turn
-- One relay of this schema publishes at a time: that keeps the order of every key.  A frozen one
-- loses its turn with its transaction.
SELECT set_config('idle_in_transaction_session_timeout', $1, true),
       pg_advisory_xact_lock(hashtextextended('outbox of ' || current_schema(), 0))

-- oldest
SELECT id, topic, key, value, headers, partition FROM outbox ORDER BY id LIMIT $1

-- published
DELETE FROM outbox WHERE id = ANY ($1::bigint[])
