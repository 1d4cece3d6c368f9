-- Keys are shown once and stored as HMAC-SHA-256 with a pepper that is not in this database.
CREATE TABLE api_keys (
    key_id     text PRIMARY KEY,
    tenant     text NOT NULL,  -- '*' for a service credential
    scopes     text[] NOT NULL CHECK (
                   scopes <@ ARRAY['ingest', 'clearance', 'admin', 'service'] AND scopes <> '{}'),
    secret_hmac bytea NOT NULL,
    label      text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CHECK ((tenant = '*') = ('service' = ANY (scopes)))
);
