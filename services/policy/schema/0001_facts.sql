-- What policy knows of borrowers, their contact points and their debts.  No name, no address:
-- surrogate ids only.  The tenant is in every key; where a surrogate, an HMAC over the tenant, is in
-- it too, the surrogate comes first, so that a batch of several tenants is one array of ids.

-- Statements take arrays of 1 to 500 keys; a plan kept from when a table was empty would scan it
-- whole for ever.  Planning afresh costs 0.3 ms a batch.
ALTER ROLE CURRENT_USER SET plan_cache_mode = 'force_custom_plan';

CREATE TABLE borrowers (
    tenant       text NOT NULL,
    borrower_id  uuid NOT NULL,
    version      bigint NOT NULL,  -- the highest wins
    country      text NOT NULL,    -- ISO 3166-1 alpha-2
    subdivision  text,             -- ISO 3166-2 without the country
    city         text,
    zones        text[] NOT NULL,  -- IANA names
    bases        text[] NOT NULL,  -- how each zone is known
    household_id uuid,
    PRIMARY KEY (borrower_id, tenant),
    CONSTRAINT borrowers_zones_have_bases CHECK (cardinality(zones) = cardinality(bases))
);
CREATE INDEX borrowers_household ON borrowers (household_id, tenant) WHERE household_id IS NOT NULL;

CREATE TABLE contact_points (
    tenant           text NOT NULL,
    borrower_id      uuid NOT NULL,
    contact_point_id text NOT NULL,  -- HMAC of the address: equal for all who share it
    version          bigint NOT NULL,
    kind             text NOT NULL,
    channels         text[] NOT NULL,
    country          text,
    zones            text[] NOT NULL,
    bases            text[] NOT NULL,
    usable           boolean NOT NULL,
    PRIMARY KEY (borrower_id, tenant, contact_point_id),
    CONSTRAINT contact_points_zones_have_bases CHECK (cardinality(zones) = cardinality(bases))
);
CREATE INDEX contact_points_owners ON contact_points (contact_point_id, tenant);

CREATE TABLE debts (
    tenant             text NOT NULL,
    loan_id            text NOT NULL,
    installment_number integer NOT NULL,
    borrower_id        uuid NOT NULL,
    version            bigint NOT NULL,
    outstanding_minor  bigint NOT NULL CHECK (outstanding_minor >= 0),
    currency           text NOT NULL,
    product            text NOT NULL,
    role               text NOT NULL CHECK (role IN ('creditor', 'collector')),
    due_date           date NOT NULL,
    account            text,
    creditor           text,
    source             text,  -- the feed that tells of it; null: not known
    PRIMARY KEY (loan_id, installment_number, tenant)
);

-- What was owed has changed: a payment, its reversal, a closure; in business time as we heard of it.
CREATE TABLE debt_moves (
    tenant             text NOT NULL,
    move_id            uuid NOT NULL DEFAULT gen_random_uuid(),
    borrower_id        uuid NOT NULL,
    loan_id            text NOT NULL,
    installment_number integer NOT NULL,
    before_minor       bigint NOT NULL,
    outstanding_minor  bigint NOT NULL,
    currency           text NOT NULL,
    at                 timestamptz NOT NULL,
    PRIMARY KEY (borrower_id, at, move_id, tenant)
);

-- A source's watermark is copied into every partition behind the events it covers: what we know
-- of a source is its lowest.
CREATE TABLE feeds (
    tenant        text NOT NULL,
    source        text NOT NULL,
    partition     integer NOT NULL,
    as_of         timestamptz NOT NULL,
    bound_seconds integer NOT NULL,
    PRIMARY KEY (tenant, source, partition)
);

CREATE TABLE stops (
    tenant            text NOT NULL,
    stop_id           uuid NOT NULL,
    borrower_id       uuid,             -- null: whoever has the contact points
    kind              text NOT NULL,
    received_at       timestamptz NOT NULL,  -- it counts from here
    recorded_at       timestamptz NOT NULL,
    form              text CHECK (form IN ('written', 'electronic', 'oral')),
    from_date         date,
    until_date        date,
    loan_ids          text[] NOT NULL,  -- scope; empty: not limited
    channels          text[] NOT NULL,
    contact_point_ids text[] NOT NULL,
    purposes          text[] NOT NULL,
    source            text NOT NULL,
    evidence          text,             -- a reference to the lender's file, never its text
    PRIMARY KEY (stop_id, tenant),
    CONSTRAINT stops_concern_somebody
        CHECK (borrower_id IS NOT NULL OR cardinality(contact_point_ids) > 0)
);
CREATE INDEX stops_borrower ON stops (borrower_id, tenant) WHERE borrower_id IS NOT NULL;

-- A stop on a contact point covers every borrower who has it.
CREATE TABLE stop_points (
    tenant           text NOT NULL,
    contact_point_id text NOT NULL,
    stop_id          uuid NOT NULL,
    PRIMARY KEY (contact_point_id, tenant, stop_id)
);

-- Apart from the stops, because a lift may arrive before its stop.
CREATE TABLE stop_ends (
    tenant      text NOT NULL,
    stop_id     uuid NOT NULL,
    ended_at    timestamptz NOT NULL,
    lifted_by   text NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (stop_id, tenant)
);

CREATE TABLE consents (
    tenant            text NOT NULL,
    consent_id        uuid NOT NULL,
    borrower_id       uuid NOT NULL,
    kind              text NOT NULL,  -- facts v1, consents[].to
    given_to          text NOT NULL,
    received_at       timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL,
    form              text CHECK (form IN ('written', 'electronic', 'oral')),
    until_date        date,
    loan_ids          text[] NOT NULL,
    channels          text[] NOT NULL,
    contact_point_ids text[] NOT NULL,
    source            text NOT NULL,
    PRIMARY KEY (consent_id, tenant)
);
CREATE INDEX consents_borrower ON consents (borrower_id, tenant);

CREATE TABLE consent_ends (
    tenant      text NOT NULL,
    consent_id  uuid NOT NULL,
    revoked_at  timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (consent_id, tenant)
);

CREATE TABLE preferences (
    tenant        text NOT NULL,
    preference_id uuid NOT NULL,
    borrower_id   uuid NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('not_between', 'only_between')),
    from_clock    text NOT NULL,
    to_clock      text NOT NULL,
    days          text NOT NULL,
    zone          text,
    received_at   timestamptz,
    withdrawn_at  timestamptz,
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (preference_id, tenant)
);
CREATE INDEX preferences_borrower ON preferences (borrower_id, tenant);
