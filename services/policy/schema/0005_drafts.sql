-- A tenant's own packs on their way into force; why a pack was taken out; which version came back.

-- A text and its hash never change; who did what to it is added, and stays.
CREATE TABLE drafts (
    tenant      text NOT NULL,
    pack        text NOT NULL,
    version     text NOT NULL,  -- sha-256 of the text, as an activation names it
    number      bigint GENERATED ALWAYS AS IDENTITY,
    text        text NOT NULL,
    drafted_by  text NOT NULL,
    drafted_at  timestamptz NOT NULL,
    cases       text,           -- the case file that came out right
    cases_right integer CHECK (cases_right > 0),
    checked_at  timestamptz,
    approved_by text,
    approved_at timestamptz,
    loosens     text[] NOT NULL DEFAULT '{}',  -- rules of the tenant's own that were knowingly loosened
    PRIMARY KEY (tenant, pack, version),
    CONSTRAINT drafts_are_named_by_their_text
        CHECK (version = encode(sha256(convert_to(text, 'UTF8')), 'hex')),
    CONSTRAINT drafts_are_checked_with_cases
        CHECK ((checked_at IS NULL) = (cases IS NULL)
               AND (checked_at IS NULL) = (cases_right IS NULL)),
    CONSTRAINT drafts_are_approved_by_somebody
        CHECK ((approved_at IS NULL) = (approved_by IS NULL)),
    CONSTRAINT drafts_are_checked_before_approval
        CHECK (approved_at IS NULL OR checked_at IS NOT NULL),
    CONSTRAINT drafts_need_two_people
        CHECK (lower(btrim(approved_by)) <> lower(btrim(drafted_by)))
);

CREATE FUNCTION drafts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.approved_at IS NOT NULL
       OR (NEW.tenant, NEW.pack, NEW.version, NEW.drafted_by, NEW.drafted_at)
          IS DISTINCT FROM (OLD.tenant, OLD.pack, OLD.version, OLD.drafted_by, OLD.drafted_at) THEN
        RAISE EXCEPTION 'what was drafted or approved stays as it is; make a new draft';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER drafts_stay BEFORE UPDATE OR DELETE ON drafts
    FOR EACH ROW EXECUTE FUNCTION drafts_stay();

CREATE FUNCTION pack_texts_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the text of a pack that was in force stays as it is';
END $$;
CREATE TRIGGER pack_texts_stay BEFORE UPDATE OR DELETE ON pack_texts
    FOR EACH ROW EXECUTE FUNCTION pack_texts_stay();

ALTER TABLE activations ADD COLUMN end_reason text;
-- A roll-back names the activation whose text is in force again.
ALTER TABLE activations ADD COLUMN restores uuid;
