-- A version that was approved may have to follow one that is stricter than what was in force when it
-- was approved: that it loosens those rules, too, is then accepted later, by somebody else perhaps.

CREATE TABLE loosenings (
    tenant      text NOT NULL,
    pack        text NOT NULL,
    version     text NOT NULL,
    rule        text NOT NULL,  -- of the tenant's own, knowingly loosened
    accepted_by text NOT NULL,
    accepted_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, pack, version, rule),
    FOREIGN KEY (tenant, pack, version) REFERENCES drafts
);
INSERT INTO loosenings
SELECT tenant, pack, version, rule, approved_by, approved_at FROM drafts, unnest(loosens) AS rule
 WHERE approved_at IS NOT NULL
    ON CONFLICT DO NOTHING;
-- drafts.loosens stays for services of the version before, which run on while this is applied; what
-- they still write there counts for nothing, so that a word may have to be given once more.

CREATE FUNCTION loosenings_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'on whose word a version loosens a rule stays as it is';
END $$;
CREATE TRIGGER loosenings_stay BEFORE UPDATE OR DELETE ON loosenings
    FOR EACH ROW EXECUTE FUNCTION loosenings_stay();

CREATE FUNCTION loosenings_of(of_tenant text, of_pack text, of_version text) RETURNS jsonb
    LANGUAGE sql STABLE
RETURN (
    SELECT coalesce(
        jsonb_agg(jsonb_build_object('rule', rule, 'by', accepted_by, 'at', accepted_at)
                  ORDER BY rule), '[]')
      FROM loosenings
     WHERE (tenant, pack, version) = (of_tenant, of_pack, of_version)
);
