"""What a service asks of its connections."""

import asyncpg

from services.runtime.database import pool
from tests.database import Database


async def test_a_service_waits_for_its_commits_whatever_the_server_is_set_to(
    database: Database,
) -> None:
    owner = await asyncpg.connect(database.admin_dsn)
    await owner.execute(f'ALTER DATABASE "{database.name}" SET synchronous_commit = off')
    await owner.close()
    async with pool(database.dsn("notifier"), schema="notifier") as db:
        assert await db.fetchval("SHOW synchronous_commit") == "on"
