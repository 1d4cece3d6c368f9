"""What a service asks of its connections."""

import asyncio

import asyncpg
import pytest
from aiohttp.test_utils import make_mocked_request

from services.runtime import database as runtime_database
from services.runtime.apikeys import ApiKeys
from services.runtime.database import answers, connected, pool
from tests.database import Database


async def test_a_service_waits_for_its_commits_whatever_the_server_is_set_to(
    database: Database,
) -> None:
    owner = await asyncpg.connect(database.admin_dsn)
    await owner.execute(f'ALTER DATABASE "{database.name}" SET synchronous_commit = off')
    await owner.close()
    async with pool(database.dsn("notifier"), schema="notifier") as db:
        assert await db.fetchval("SHOW synchronous_commit") == "on"


async def test_a_database_that_takes_no_writes_is_not_ready(database: Database) -> None:
    async with pool(database.dsn("policy"), schema="policy") as db:
        assert await answers(db) is None
    owner = await asyncpg.connect(database.admin_dsn)
    await owner.execute(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
    await owner.close()
    async with pool(database.dsn("policy"), schema="policy") as db:
        assert "takes no writes" in (await answers(db) or "")


async def test_whoever_finds_no_free_connection_is_told_so_and_waits_no_longer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime_database, "READY_SECONDS", 60.0)
    async with pool(database.dsn("policy"), schema="policy", max_size=1) as db:
        asking = make_mocked_request(
            "GET", "/", {"Authorization": f"Bearer dw_{'0' * 12}_{'x' * 43}"}
        )
        async with connected(db):
            with monkeypatch.context() as patch:  # who holds the one connection has longer
                patch.setattr(runtime_database, "ACQUIRE_SECONDS", 0.05)
                patch.setattr(runtime_database, "READY_SECONDS", 0.05)
                for waits in (answers(db), ApiKeys(db, b"p" * 32).grant(asking)):
                    async with asyncio.timeout(60):
                        with pytest.raises(TimeoutError):
                            await waits
        await answers(db)
