-- The contact ledger, what it is locked by, and the permits that book in it.

-- One row a borrower, household or contact point, locked in the order of the key by whoever
-- changes or counts what concerns it.  "tenant/b/…", "tenant/h/…", "tenant/c/…".
CREATE TABLE subjects (
    key text COLLATE "C" PRIMARY KEY
);

-- Every contact that counts: ours, those reported to us, and what came back.
CREATE TABLE contacts (
    tenant           text NOT NULL,
    contact_id       uuid NOT NULL,  -- our attempt_id, or derived from what was reported
    borrower_id      uuid NOT NULL,
    contact_point_id text,
    channel          text NOT NULL,
    direction        text NOT NULL DEFAULT 'outbound' CHECK (direction IN ('outbound', 'inbound')),
    at               timestamptz NOT NULL,  -- business time
    outcome          text NOT NULL CONSTRAINT contacts_outcome_known CHECK (outcome IN (
        'reserved', 'unknown', 'cancelled', 'busy', 'not_in_service', 'no_answer', 'mailbox_full',
        'voicemail_reached', 'voicemail_left', 'abandoned', 'conversation', 'sent', 'delivered',
        'bounced', 'message')),
    booked_at        timestamptz NOT NULL,  -- real time
    loan_id          text,           -- null: whatever it is compared with (inbound)
    account          text,
    creditor         text,
    purpose          text,
    reminder_id      uuid,
    -- What a plain message of ours has not, by the names of facts v1: class, person, place,
    -- collector, technology, event, consented, in_reply_to, requests_contact, debts, allocated_to.
    more             jsonb,
    -- What the notifier told of it, in the order heard: state, at (business time), code, outcome, reason.
    receipts         jsonb,
    PRIMARY KEY (contact_id, tenant)
) WITH (fillfactor = 85);  -- the outcome of each row moves once or twice: let it stay on its page
-- Statistics of a column that moves on within seconds are always those of another hour.
ALTER TABLE contacts ALTER COLUMN outcome SET STATISTICS 0;
CREATE INDEX contacts_borrower ON contacts (borrower_id, at);
CREATE INDEX contacts_point ON contacts (contact_point_id, at);
CREATE INDEX contacts_open ON contacts (booked_at) WHERE outcome = 'reserved';

CREATE TABLE permits (
    tenant        text NOT NULL,
    attempt_id    uuid NOT NULL,
    permit_id     uuid NOT NULL,
    reminder_id   uuid NOT NULL,
    emission      integer NOT NULL,
    decision_id   uuid NOT NULL,
    rule_set      text NOT NULL,
    issued_at     timestamptz NOT NULL,  -- real time, as is send_by
    send_by       timestamptz NOT NULL,
    gate_now      timestamptz NOT NULL,  -- business time, as is allowed_until
    allowed_until timestamptz NOT NULL,
    PRIMARY KEY (attempt_id, tenant),
    CONSTRAINT permits_run_out CHECK (send_by <= issued_at + interval '10 seconds')
);
