-- Reminders that policy allowed, and every attempt to deliver one: design.md, section 3.

CREATE TABLE reminders (
    tenant       text NOT NULL,
    reminder_id  uuid NOT NULL,
    emission     integer NOT NULL,  -- 0: only its cancellation has arrived
    borrower_id  uuid NOT NULL,
    allowed      bytea,  -- the event ReminderAllowed as JSON
    cancelled_at timestamptz,  -- a tombstone: later emissions are ignored
    failed_at    timestamptz,
    reason       text,
    PRIMARY KEY (reminder_id, tenant),
    CHECK (allowed IS NOT NULL OR cancelled_at IS NOT NULL),
    CHECK ((failed_at IS NULL) = (reason IS NULL))
);

-- No foreign key to reminders: both are written in one transaction, and the look costs a third of it.
CREATE TABLE attempts (
    attempt_id       uuid NOT NULL,
    tenant           text NOT NULL,
    reminder_id      uuid NOT NULL,
    emission         integer NOT NULL,
    borrower_id      uuid NOT NULL,
    releases         uuid[] NOT NULL DEFAULT '{}',  -- finished attempts of this reminder before it
    priority         integer NOT NULL,
    state            text NOT NULL DEFAULT 'intent' CONSTRAINT attempts_state CHECK (state IN (
                         'intent', 'in_flight', 'accepted', 'rejected', 'not_sent', 'unknown',
                         'abandoned', 'accepted_late', 'delivered', 'undelivered', 'bounced',
                         'expired', 'suppressed', 'deferred', 'lapsed')),
    epoch            integer NOT NULL DEFAULT 0,
    owner            uuid,
    lease_until      timestamptz,  -- real time; over: an intent is taken over, a flight is unknown
    not_before       timestamptz NOT NULL DEFAULT clock_timestamp(),  -- real time: backoff
    channel          text CHECK (channel IN ('push', 'sms', 'email')),
    provider         text,
    contact_point_id text,
    permit_id        uuid,
    send_by          timestamptz,  -- real time: no first byte after it
    allowed_until    timestamptz,  -- business time: bounds the provider's expiry
    wire_deadline    timestamptz,  -- real time
    provider_ref     text,
    code             text,
    retryable        boolean,  -- of a rejection: may the same contact point be tried again?
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    in_flight_at     timestamptz,
    ended_at         timestamptz,  -- real time at which the state of today was reached
    PRIMARY KEY (attempt_id, tenant),
    CONSTRAINT attempts_sent_on_record CHECK (
        state IN ('intent', 'suppressed', 'deferred', 'lapsed')
        OR (in_flight_at IS NOT NULL AND channel IS NOT NULL AND provider IS NOT NULL
            AND contact_point_id IS NOT NULL AND wire_deadline IS NOT NULL AND owner IS NOT NULL))
) WITH (fillfactor = 60);  -- each row is written four times: let a claim stay on its page
-- P1: a second contact for one reminder would need this index to be broken, not the code.
CREATE UNIQUE INDEX attempts_one_live ON attempts (reminder_id, tenant)
    WHERE state NOT IN ('rejected', 'not_sent', 'suppressed', 'deferred', 'lapsed');
CREATE INDEX attempts_by_reminder ON attempts (reminder_id, tenant)
    WHERE state IN ('rejected', 'not_sent', 'suppressed', 'deferred', 'lapsed');
-- What comes next is found by state.  Each predicate says more than the state, and only the statement
-- that the index is for says the same: a statement that has its keys must not be tempted to walk all
-- of a state instead, which a planner with old statistics believes to be empty (measured: seconds).
CREATE INDEX attempts_to_claim ON attempts (priority, created_at)
    WHERE state = 'intent' AND ended_at IS NULL;
CREATE INDEX attempts_in_flight ON attempts (wire_deadline)
    WHERE state = 'in_flight' AND wire_deadline IS NOT NULL;
CREATE INDEX attempts_unknown ON attempts (ended_at) WHERE state = 'unknown' AND ended_at IS NOT NULL;
ALTER TABLE attempts SET (autovacuum_vacuum_scale_factor = 0.02);
-- Statistics of a column that moves on within seconds are always those of another hour.
ALTER TABLE attempts ALTER COLUMN state SET STATISTICS 0;

-- What a provider was seen to say, whatever the attempt's state was then; kept for good.
CREATE TABLE observations (
    tenant       text NOT NULL,
    attempt_id   uuid NOT NULL,
    source       text NOT NULL CHECK (source IN ('answer', 'callback', 'look_up')),
    state        text NOT NULL,  -- the attempt state it speaks for
    status       text NOT NULL,  -- the provider's word
    provider_ref text NOT NULL DEFAULT '',
    code         text,
    seen_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (attempt_id, tenant, source, provider_ref, status)
);
