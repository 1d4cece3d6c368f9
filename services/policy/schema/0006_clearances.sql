-- Contacts that people or other systems make: asked for, redeemed, reported.

-- Only a clearance's reservation has an end: from then on (business time) it counts nowhere.
ALTER TABLE contacts ADD COLUMN expires_at timestamptz;
ALTER TABLE contacts ADD COLUMN clearance_id uuid;
ALTER TABLE contacts ADD CONSTRAINT contacts_expire_with_clearance
    CHECK (expires_at IS NULL OR clearance_id IS NOT NULL);
CREATE INDEX contacts_expiring ON contacts (expires_at)
 WHERE outcome = 'reserved' AND expires_at IS NOT NULL;

-- In a decision about a clearance reminder_id is the clearance's id, emission is 0, and attempt_id
-- is the id of its row in the ledger.
ALTER TABLE decisions DROP CONSTRAINT decisions_checkpoint_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_checkpoint_check
    CHECK (checkpoint IN ('due', 'redeem', 'clearance'));

CREATE TABLE clearances (
    tenant       text NOT NULL,
    clearance_id uuid NOT NULL,
    borrower_id  uuid NOT NULL,
    channel      text NOT NULL,
    digest       bytea NOT NULL,       -- of the question: the same id may not ask another
    question     json NOT NULL,        -- as asked, without the borrower's reference
    state        text NOT NULL CHECK (state IN (
        'refused', 'allowed', 'reserved', 'expired', 'redeemed', 'released', 'reported')),
    answer       json NOT NULL,        -- the first one; a repeat gets it again
    asked_at     timestamptz NOT NULL, -- business time, as are the others
    expires_at   timestamptz,
    redeemed_at  timestamptz,
    reported_at  timestamptz,
    PRIMARY KEY (clearance_id, tenant)
);
CREATE INDEX clearances_unreported ON clearances (borrower_id, tenant)
 WHERE state = 'redeemed' AND channel = 'visit';
CREATE INDEX clearances_expiring ON clearances (expires_at) WHERE state = 'reserved';

-- What happened, as it was told; the ledger's row has the id derived from this one.
CREATE TABLE contact_reports (
    tenant         text NOT NULL,
    contact_id     uuid NOT NULL,
    ledger_id      uuid NOT NULL,
    borrower_id    uuid NOT NULL,
    clearance_id   uuid,
    digest         bytea NOT NULL,
    people_present text[] NOT NULL,
    note_ref       text,
    at             timestamptz NOT NULL,
    reported_at    timestamptz NOT NULL,
    PRIMARY KEY (contact_id, tenant)
);

-- What a visit needs at least; the newest row counts, the older ones say who changed what.
CREATE TABLE visit_limits (
    tenant                text NOT NULL,
    set_at                timestamptz NOT NULL,
    limits                json NOT NULL,
    set_by                text NOT NULL,
    approved_by           text NOT NULL,
    PRIMARY KEY (tenant, set_at),
    CONSTRAINT visit_limits_need_two_people CHECK (set_by <> approved_by)
);
