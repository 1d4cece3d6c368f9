-- What a service's consumer and relay keep beside the service's own tables.

-- The consumed offset, moved in the transaction that has the effects.  A new owner of a partition
-- raises its epoch: whoever still holds an older one can't move the offset, so can't commit.
CREATE TABLE stream_positions (
    consumer_group text   NOT NULL,
    topic          text   NOT NULL,
    partition      int    NOT NULL,
    epoch          bigint NOT NULL,
    next_offset    bigint NOT NULL CHECK (next_offset >= 0),
    PRIMARY KEY (consumer_group, topic, partition)
) WITH (fillfactor = 50);  -- updated once a batch: room for HOT updates

-- Written with the state change, published after it, then deleted.
CREATE TABLE outbox (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic      text  NOT NULL,
    key        bytea NOT NULL,
    value      bytea NOT NULL,
    headers    bytea NOT NULL,  -- MessagePack of [[name, bytes], ...]
    partition  int,             -- only where a message must reach each partition
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000);
