-- Which packs decide for a tenant: a row says since when, who asked for it and who approved.
CREATE TABLE activations (
    tenant         text NOT NULL,
    activation_id  uuid NOT NULL,
    pack           text NOT NULL,
    version        text NOT NULL,  -- hash of the pack as it was approved
    active_from    timestamptz NOT NULL,
    requested_by   text NOT NULL,
    approved_by    text NOT NULL,
    recorded_at    timestamptz NOT NULL,
    ended_at       timestamptz,    -- no longer from here on
    ended_by       text,
    end_approved_by text,
    -- What was held was asked again when it began, and when it ended.
    begin_noticed  boolean NOT NULL DEFAULT false,
    end_noticed    boolean NOT NULL DEFAULT false,
    next_change    timestamptz GENERATED ALWAYS AS (
        CASE WHEN NOT begin_noticed THEN active_from WHEN NOT end_noticed THEN ended_at END) STORED,
    PRIMARY KEY (tenant, activation_id),
    CONSTRAINT activations_need_two_people CHECK (requested_by <> approved_by),
    CONSTRAINT activations_end_with_two_people CHECK (
        (ended_at IS NULL) = (ended_by IS NULL)
        AND (ended_at IS NULL) = (end_approved_by IS NULL)
        AND ended_by IS DISTINCT FROM end_approved_by OR ended_at IS NULL)
);
CREATE INDEX activations_to_notice ON activations (next_change) WHERE next_change IS NOT NULL;
CREATE INDEX activations_tenant ON activations (tenant, pack, active_from);

-- The text of each version that was ever activated: an activation binds to what was approved, not
-- to whatever the file says after an upgrade.
CREATE TABLE pack_texts (
    tenant  text NOT NULL,
    pack    text NOT NULL,
    version text NOT NULL,
    text    text NOT NULL,
    PRIMARY KEY (tenant, pack, version)
);
