"""Real servers for the tests: one PostgreSQL and one Apache Kafka a run, a fresh database a test."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec

import asyncpg
import pytest

from services.runtime.embedded_postgres import EmbeddedPostgres
from tests.database import Database

TEMPLATE = "dunwell_template"
_numbers = itertools.count()


async def _migrate(admin_dsn: str) -> None:
    """Bring the template database to the schema of today: the one place where tests migrate."""
    if find_spec("services.runtime.migrate") is None:
        return
    from services.runtime.migrate import migrate_all

    await migrate_all(admin_dsn)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One server for the whole run. A test that kills or restarts PostgreSQL starts its own."""
    server = EmbeddedPostgres(durable=False)
    try:
        asyncio.run(server.start())
        yield server
    finally:
        server.remove()


@pytest.fixture(scope="session")
def template_database(postgres_server: EmbeddedPostgres) -> str:
    """The name of the migrated database that every test's own is cloned from."""

    async def build() -> None:
        admin = await asyncpg.connect(postgres_server.dsn)
        await admin.execute(f"CREATE DATABASE {TEMPLATE}")
        await admin.close()
        await _migrate(postgres_server.dsn_of(TEMPLATE))

    asyncio.run(build())
    return TEMPLATE


@pytest.fixture
async def database(
    postgres_server: EmbeddedPostgres, template_database: str
) -> AsyncIterator[Database]:
    """A fresh, migrated, empty database (0.1 s)."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(postgres_server.dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
    try:
        yield Database(postgres_server, name)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()
