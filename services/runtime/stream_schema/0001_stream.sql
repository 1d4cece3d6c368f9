-- The PostgreSQL stream: topics, partitions, groups and leases, for one machine without a broker.

-- One counter a partition.  An append holds these rows, so offset order is commit order.
CREATE TABLE partitions (
    topic       text   NOT NULL,
    partition   int    NOT NULL,
    next_offset bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE messages (
    topic          text   NOT NULL,
    partition      int    NOT NULL,
    message_offset bigint NOT NULL,
    key            bytea  NOT NULL,
    value          bytea  NOT NULL,
    headers        bytea  NOT NULL,  -- MessagePack of [[name, bytes], ...]
    appended_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, message_offset)
);

-- Real time, not business time: leases outlive no process.
CREATE TABLE members (
    consumer_group text NOT NULL,
    member_id      uuid NOT NULL,
    topics         text[] NOT NULL,
    expires_at     timestamptz NOT NULL,
    PRIMARY KEY (consumer_group, member_id)
);

CREATE TABLE leases (
    consumer_group text   NOT NULL,
    topic          text   NOT NULL,
    partition      int    NOT NULL,
    member_id      uuid,             -- none: free
    generation     bigint NOT NULL DEFAULT 0,  -- counts changes of hands
    expires_at     timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

-- A hint, for lag tools and for what may be dropped; the truth is each service's stream_positions.
CREATE TABLE commits (
    consumer_group text   NOT NULL,
    topic          text   NOT NULL,
    partition      int    NOT NULL,
    next_offset    bigint NOT NULL,
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);

-- Appends a batch: all of it or nothing.  Call it as a transaction of its own: the counter rows
-- stay locked until it ends.
CREATE FUNCTION append(
    topics text[], numbers int[], keys bytea[], contents bytea[], heads bytea[]
) RETURNS void LANGUAGE plpgsql SET search_path = stream AS $$
DECLARE
    wanted int;
    locked int;
BEGIN
    -- In one order, so that two appends wait for each other and never deadlock.
    PERFORM 1 FROM partitions p
      WHERE (p.topic, p.partition) IN (SELECT * FROM unnest(topics, numbers))
      ORDER BY p.topic, p.partition
        FOR NO KEY UPDATE;
    GET DIAGNOSTICS locked = ROW_COUNT;
    SELECT count(DISTINCT (t, n)) INTO wanted FROM unnest(topics, numbers) AS u (t, n);
    IF locked < wanted THEN
        RAISE EXCEPTION 'no such topic or partition' USING ERRCODE = 'undefined_object';
    END IF;
    WITH incoming AS (
        SELECT t, n, k, c, h, row_number() OVER (PARTITION BY t, n ORDER BY place) - 1 AS nth
          FROM unnest(topics, numbers, keys, contents, heads)
               WITH ORDINALITY AS u (t, n, k, c, h, place)
    ), counted AS (
        SELECT t, n, count(*) AS many FROM incoming GROUP BY t, n
    ), bumped AS (
        UPDATE partitions p SET next_offset = p.next_offset + counted.many
          FROM counted WHERE p.topic = counted.t AND p.partition = counted.n
        RETURNING p.topic, p.partition, p.next_offset - counted.many AS first
    )
    INSERT INTO messages (topic, partition, message_offset, key, value, headers)
    SELECT i.t, i.n, b.first + i.nth, i.k, i.c, i.h
      FROM incoming i JOIN bumped b ON b.topic = i.t AND b.partition = i.n;
    PERFORM pg_notify('dunwell_stream', t) FROM (SELECT DISTINCT unnest(topics)) AS u (t);
END
$$;
