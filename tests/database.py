"""A test's own database, as its `database` fixture gets it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import asyncpg

from services.runtime.database import Pool
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import SERVICES, role_url

PASSWORDS = {service: f"{service}-test-password" for service in SERVICES}


@dataclass(frozen=True)
class Database:
    """A migrated, empty database, with the connection URLs of those who may enter."""

    server: EmbeddedPostgres
    name: str

    @property
    def admin_dsn(self) -> str:
        """The superuser's: with it a test looks into any schema."""
        return self.server.dsn_of(self.name)

    def dsn(self, service: str) -> str:
        """The URL of a service's own role: scheduler, policy or notifier."""
        return role_url(self.admin_dsn, service, PASSWORDS[service])


# What asyncpg was seen to raise when a server was stopped under it, by its three families.
TORN = (
    asyncpg.InternalClientError("cannot switch to state 15"),
    asyncpg.InterfaceError("connection is closed"),
    asyncpg.AdminShutdownError("terminating connection"),
    ConnectionResetError(),
)


class Tearing:
    """A pool that fails so, once each, before it is as ever."""

    def __init__(self, pool: Pool, errors: Iterable[Exception] = TORN) -> None:
        self._pool = pool
        self.errors = list(errors)

    def acquire(self, **options: Any) -> Any:
        if self.errors:
            raise self.errors.pop(0)
        return self._pool.acquire(**options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)
