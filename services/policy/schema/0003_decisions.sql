-- Reminders as far as they were asked about, the log of what was answered, and who waits.

CREATE TABLE reminders (
    tenant           text NOT NULL,
    reminder_id      uuid NOT NULL,
    borrower_id      uuid NOT NULL,
    emission         integer NOT NULL,  -- the highest that was asked
    days_from_due    integer NOT NULL,
    days_past_due    integer NOT NULL,
    priority         integer NOT NULL,
    channels         text[] NOT NULL,
    barred           text[] NOT NULL DEFAULT '{}',  -- channels that were refused at hand-off, for good
    waits            integer NOT NULL DEFAULT 0,  -- refusals in a row for want of a fresh fact
    held_code        text,              -- this emission has no answer yet: what a person must mend
    decision_id      uuid NOT NULL,     -- the last one, its key and what it said
    decided_at       timestamptz NOT NULL,
    digest           bytea NOT NULL,
    refused_emission integer,           -- the emission that hand-off refused: it stays refused
    refused_verdict  text CHECK (refused_verdict IN ('defer', 'suppress')),
    refused_until    timestamptz,
    refused_code     text,
    refused_rule     text,
    PRIMARY KEY (reminder_id, tenant)
) WITH (fillfactor = 85);

-- Tombstones: a cancel may arrive before the due it cancels.
CREATE TABLE cancelled (
    tenant       text NOT NULL,
    reminder_id  uuid NOT NULL,
    version      bigint NOT NULL,
    reason       text NOT NULL,
    cancelled_at timestamptz NOT NULL,
    PRIMARY KEY (reminder_id, tenant)
);

-- Not answered yet: a person must mend something first.
CREATE TABLE held (
    tenant      text NOT NULL,
    reminder_id uuid NOT NULL,
    borrower_id uuid NOT NULL,
    emission    integer NOT NULL,
    code        text NOT NULL CHECK (code LIKE 'held\_%'),
    held_since  timestamptz NOT NULL,  -- business time
    valid_until timestamptz NOT NULL,  -- business time
    tries       integer NOT NULL,
    retry_at    timestamptz NOT NULL,  -- real time
    due         bytea NOT NULL,        -- the event, as JSON
    PRIMARY KEY (reminder_id, tenant)
);
CREATE INDEX held_borrower ON held (borrower_id, tenant);
CREATE INDEX held_valid_until ON held (valid_until);
CREATE INDEX held_retry_at ON held (retry_at);

-- Append only.  A month is a partition; what no partition takes goes to the last one.
CREATE TABLE decisions (
    tenant             text NOT NULL,
    decision_id        uuid NOT NULL,
    decided_at         timestamptz NOT NULL,  -- business time
    checkpoint         text NOT NULL CHECK (checkpoint IN ('due', 'redeem')),
    reminder_id        uuid NOT NULL,
    emission           integer NOT NULL,
    attempt_id         uuid,
    borrower_id        uuid NOT NULL,
    loan_id            text NOT NULL,
    installment_number integer NOT NULL,
    verdict            text NOT NULL CHECK (verdict IN ('allow', 'defer', 'suppress', 'hold')),
    until              timestamptz,
    code               text,
    rule               text,
    rule_set           text,
    facts_hash         bytea,
    answers            json NOT NULL,      -- one a channel: reasons with rule, code, cite, says
    repeats            integer NOT NULL DEFAULT 0,  -- the same deferral again
    last_at            timestamptz NOT NULL,
    PRIMARY KEY (decision_id, decided_at, tenant),
    CONSTRAINT decisions_defer_until CHECK ((verdict = 'defer') = (until IS NOT NULL)),
    CONSTRAINT decisions_refuse_with_code CHECK ((verdict = 'allow') = (code IS NULL))
) PARTITION BY RANGE (decided_at);
CREATE TABLE decisions_other PARTITION OF decisions DEFAULT;
CREATE INDEX decisions_reminder ON decisions (reminder_id, tenant);

-- Facts v1 as they were judged, by the hash of their JSON; no text of a message is in them.
CREATE TABLE decision_facts (
    tenant     text NOT NULL,
    facts_hash bytea NOT NULL,
    facts      json NOT NULL,
    PRIMARY KEY (facts_hash, tenant)
);

CREATE TABLE rule_sets (
    tenant   text NOT NULL,
    version  text NOT NULL,
    packs    json NOT NULL,  -- pack id and the hash of its file
    first_at timestamptz NOT NULL,
    PRIMARY KEY (version, tenant)
);
