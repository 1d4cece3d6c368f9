"""Keys for every door: per tenant, scoped, stored as HMAC, dead within 5 s of being revoked."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

from aiohttp import web

from services.events.base import TENANT_PATTERN
from services.runtime.database import Connection, Pool, connected
from services.runtime.web import Problem

Scope = Literal["ingest", "clearance", "admin", "service"]
EVERY_TENANT = "*"

# 256 random bits need no slow hash (OWASP ASVS 5.0, 6.5.2); the pepper keeps a dump useless.
_SECRET_BYTES = 32
_CACHE_SECONDS = 5.0
_CACHE_ENTRIES = 1_000


class Grant(NamedTuple):
    """What a key may do."""

    tenant: str
    scopes: frozenset[str]


class WrongTenant(ValueError):
    """A key for this tenant, or with these scopes for it, would open doors that lead nowhere."""


async def issue(
    connection: Connection, pepper: bytes, *, tenant: str, scopes: Sequence[str], label: str
) -> str:
    """A new key, returned this once.  A service credential has tenant `*` and scope `service`."""
    key_id, secret = secrets.token_hex(6), secrets.token_urlsafe(_SECRET_BYTES)
    await store(connection, pepper, f"dw_{key_id}_{secret}", tenant, scopes, label)
    return f"dw_{key_id}_{secret}"


async def store(
    connection: Connection, pepper: bytes, key: str, tenant: str, scopes: Sequence[str], label: str
) -> None:
    """Accept `key` from now on: for credentials that were made elsewhere, of the same form."""
    key_id, secret = _parts(key)
    _check(tenant, scopes)
    await connection.execute(
        "INSERT INTO api_keys (key_id, tenant, scopes, secret_hmac, label)"
        " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (key_id) DO UPDATE"
        " SET tenant = $2, scopes = $3, secret_hmac = $4, label = $5, revoked_at = NULL",
        key_id,
        tenant,
        list(scopes),
        hmac.digest(pepper, secret.encode(), hashlib.sha256),
        label,
    )


def _check(tenant: str, scopes: Sequence[str]) -> None:
    """Every event names its tenant: one that none can name would be answered, then lost."""
    if tenant != EVERY_TENANT and not TENANT_PATTERN.match(tenant):
        rule = "at most 40 lower-case letters, digits and hyphens, no hyphen first"
        raise WrongTenant(f"a tenant is {rule}: {TENANT_PATTERN.pattern}")
    if (tenant == EVERY_TENANT) != ("service" in scopes):
        raise WrongTenant(f"the tenant of a key with scope service is {EVERY_TENANT}, of no other")


def _parts(key: str) -> tuple[str, str]:
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    sized = len(key_id) == 12 and len(secret) >= 32 and len(key) <= 200
    if prefix != "dw" or not sized or not key.isascii():
        raise ValueError("an API key looks like dw_<12 hex digits>_<secret of 32 or more>")
    return key_id, secret


class ApiKeys:
    """Checks the Authorization header of a request against this service's own table."""

    def __init__(self, db: Pool, pepper: bytes) -> None:
        self._db = db
        self._pepper = pepper
        self._seen: dict[bytes, tuple[float, Grant]] = {}

    async def tenant(self, request: web.Request, *scopes: Scope) -> str:
        """The key's tenant if it has one of the scopes (`*` for a service); else 401 or 403."""
        grant = await self.grant(request)
        if grant.scopes.isdisjoint(scopes):
            wanted = " or ".join(scopes)
            raise Problem(403, "scope_missing", f"this key lacks the scope {wanted}")
        return grant.tenant

    async def grant(self, request: web.Request) -> Grant:
        """What the request's key may do; 401 if there is none, or it is wrong or revoked."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise Problem(401, "key_missing", "send the API key as `Authorization: Bearer dw_…`")
        # Cached by digest, so that a memory dump of the cache holds no key.
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        seen = self._seen.get(digest)
        if seen and time.monotonic() - seen[0] < _CACHE_SECONDS:
            return seen[1]
        grant = await self._look_up(key)
        if len(self._seen) >= _CACHE_ENTRIES:
            self._seen.clear()
        self._seen[digest] = (time.monotonic(), grant)
        return grant

    async def _look_up(self, key: str) -> Grant:
        try:
            key_id, secret = _parts(key)
        except ValueError:
            raise Problem(401, "key_wrong", "this is not an API key of ours") from None
        async with connected(self._db) as connection:
            row = await connection.fetchrow(
                "SELECT tenant, scopes, secret_hmac FROM api_keys"
                " WHERE key_id = $1 AND revoked_at IS NULL",
                key_id,
            )
        given = hmac.digest(self._pepper, secret.encode(), hashlib.sha256)
        if row is None or not hmac.compare_digest(given, row["secret_hmac"]):
            raise Problem(401, "key_wrong", "unknown or revoked API key")
        return Grant(row["tenant"], frozenset(row["scopes"]))
