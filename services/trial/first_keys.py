"""Secrets and keys of a new installation: made at random, and made known to every service."""

import base64
import secrets
from typing import NamedTuple

import asyncpg

from services.runtime import apikeys
from services.runtime.migrate import SERVICES

SERVICE_SCOPES = ("service",)
LENDER_SCOPES = ("ingest", "clearance", "admin")


class Keys(NamedTuple):
    """What opens the doors: the services' own key for policy's, and the first lender's."""

    service: str
    lender: str
    tenant: str


def secret() -> str:
    """Random text of 256 bits."""
    return secrets.token_urlsafe(32)


def api_key() -> str:
    """An API key that nobody knows yet."""
    return f"dw_{secrets.token_hex(6)}_{secret()}"


def address_keys() -> str:
    """DUNWELL_ADDRESS_KEYS with one key."""
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


async def make_known(admin_url: str, pepper: bytes, keys: Keys) -> None:
    """Every service accepts both keys from now on; safe to repeat."""
    owner = await asyncpg.connect(admin_url)
    try:
        for service in SERVICES:
            async with owner.transaction():
                await owner.execute(f"SET LOCAL search_path = {service}")
                for key, tenant, scopes in (
                    (keys.service, apikeys.EVERY_TENANT, SERVICE_SCOPES),
                    (keys.lender, keys.tenant, LENDER_SCOPES),
                ):
                    await apikeys.store(owner, pepper, key, tenant, scopes, "made at first start")
    finally:
        await owner.close()
