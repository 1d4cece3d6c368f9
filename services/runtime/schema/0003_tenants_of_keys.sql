-- Events refuse every other tenant: what came in by such a key was dead-lettered further on.  One
-- that was issued all the same stays (NOT VALID), so that this applies, and can be revoked.
ALTER TABLE api_keys ADD CONSTRAINT api_keys_tenant_check CHECK (
    revoked_at IS NOT NULL OR tenant = '*' OR tenant ~ '^[a-z0-9][a-z0-9-]{0,39}$') NOT VALID;
