-- Who is reached where.  Addresses live in `addresses.sealed` and nowhere else in Dunwell.
--
-- In every key the id stands before the tenant: with the tenant first, a planner whose statistics are
-- old looks ids up by tenant alone (2.4 s instead of 3 ms for the addresses of 500, measured).

CREATE TABLE tenants (tenant text PRIMARY KEY);

-- One row an address a tenant, shared by all who have it; IN_FLIGHT locks it and looks for a block.
CREATE TABLE contact_points (
    tenant           text NOT NULL,
    contact_point_id text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('mobile', 'landline', 'email', 'app')),
    country          text,
    zones            jsonb NOT NULL DEFAULT '[]',
    blocked_at       timestamptz,  -- the person said stop here
    unusable_at      timestamptz,  -- a provider said that it doesn't exist
    unusable_code    text,
    PRIMARY KEY (contact_point_id, tenant),
    CHECK ((unusable_at IS NULL) = (unusable_code IS NULL))
);

-- The highest version of a borrower's whole list that came by HTTP; its row is the borrower's lock.
CREATE TABLE address_books (
    tenant      text NOT NULL,
    borrower_id uuid NOT NULL,
    version     bigint NOT NULL,
    PRIMARY KEY (borrower_id, tenant)
);

CREATE TABLE addresses (
    tenant           text NOT NULL,
    borrower_id      uuid NOT NULL,
    contact_point_id text NOT NULL,
    position         integer NOT NULL,  -- the lender's order: the first is tried first
    key_id           text NOT NULL,
    sealed           bytea,  -- AES-256-GCM; gone when the address was removed
    given_version    bigint NOT NULL,  -- the lender's
    version          bigint NOT NULL,  -- ours: of contact_point.changed
    removed_at       timestamptz,
    PRIMARY KEY (borrower_id, contact_point_id, tenant),
    FOREIGN KEY (contact_point_id, tenant) REFERENCES contact_points,
    CHECK ((removed_at IS NULL) = (sealed IS NOT NULL))
);
CREATE INDEX addresses_by_point ON addresses (contact_point_id, tenant) WHERE removed_at IS NULL;

-- What came in from a person, once; and the stops that policy has yet to hear of.
CREATE TABLE replies (
    tenant           text NOT NULL,
    reply_id         uuid NOT NULL,
    contact_point_id text NOT NULL,
    meaning          text NOT NULL CHECK (meaning IN ('stop', 'start', 'help', 'other')),
    received_at      timestamptz NOT NULL,  -- business time
    ended_at         timestamptz,           -- a stop: the person said start, or it was lifted
    PRIMARY KEY (reply_id, tenant)
);
CREATE INDEX replies_stopping ON replies (contact_point_id, tenant)
    WHERE meaning = 'stop' AND ended_at IS NULL;

-- Replies that were taken for a stop in doubt, for a person to look at.  Not what they say: by
-- message_ref the message can be found at the provider.
CREATE TABLE reviews (
    tenant           text NOT NULL,
    review_id        uuid NOT NULL,         -- the reply's id
    contact_point_id text NOT NULL,
    channel          text NOT NULL CHECK (channel IN ('sms', 'email', 'push')),
    message_ref      text NOT NULL,         -- the provider's id of the message
    word_class       text NOT NULL CHECK (word_class IN ('in_sentence', 'letter')),
    languages        text[] NOT NULL,       -- in which the word means stop
    received_at      timestamptz NOT NULL,  -- business time
    settled_as       text CHECK (settled_as IN ('confirmed', 'lifted', 'started')),
    settled_by       text,
    reason           text,
    settled_at       timestamptz,           -- business time
    PRIMARY KEY (review_id, tenant),
    FOREIGN KEY (review_id, tenant) REFERENCES replies,
    CONSTRAINT reviews_settled_by_somebody CHECK (
        (settled_at IS NULL) = (settled_as IS NULL) AND (settled_at IS NULL) = (settled_by IS NULL)
        AND (settled_at IS NULL) = (reason IS NULL))
);
CREATE INDEX reviews_open ON reviews (tenant, received_at) WHERE settled_at IS NULL;
CREATE INDEX reviews_open_of_point ON reviews (contact_point_id, tenant) WHERE settled_at IS NULL;

CREATE TABLE forwarded_stops (
    tenant           text NOT NULL,
    stop_id          uuid NOT NULL,
    reply_id         uuid NOT NULL,
    contact_point_id text NOT NULL,
    borrower_id      uuid NOT NULL,
    channel          text NOT NULL CHECK (channel IN ('sms', 'email', 'push')),
    received_at      timestamptz NOT NULL,  -- business time
    recorded_at      timestamptz,  -- policy's 2xx
    ended_at         timestamptz,  -- business time: the person said start, or it was lifted
    ended_by         text,         -- `borrower`, or who lifted it
    lifted_at        timestamptz,  -- policy's 2xx to that
    PRIMARY KEY (stop_id, tenant),
    CHECK (lifted_at IS NULL OR ended_at IS NOT NULL),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX forwarded_stops_waiting ON forwarded_stops (received_at)
    WHERE recorded_at IS NULL OR (ended_at IS NOT NULL AND lifted_at IS NULL);
CREATE INDEX forwarded_stops_by_reply ON forwarded_stops (reply_id, tenant);
CREATE INDEX forwarded_stops_by_point ON forwarded_stops (contact_point_id, tenant)
    WHERE ended_at IS NULL;
