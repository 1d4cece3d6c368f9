"""Business time: whoever waits for it is woken when it is stepped."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import asyncpg

from services.runtime import clock
from tests.database import Database

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


async def until_more(heard: list[None], than: int) -> None:
    deadline = time.monotonic() + 60
    while len(heard) <= than:
        assert time.monotonic() < deadline, "nobody was woken"
        await asyncio.sleep(0.02)


async def test_a_step_is_heard_also_after_the_connection_was_lost(database: Database) -> None:
    heard: list[None] = []
    owner = await asyncpg.connect(database.admin_dsn)
    await clock.install_stepped(owner, NOON)
    listening = asyncio.create_task(
        clock.listen(database.dsn("scheduler"), lambda: heard.append(None))
    )
    try:
        await until_more(heard, 0)
        await clock.step_to(owner, NOON + timedelta(hours=1))
        await until_more(heard, 1)
        await owner.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND usename = 'scheduler'"
        )
        await until_more(heard, 2)  # it listens again
        await clock.step_to(owner, NOON + timedelta(hours=2))
        await until_more(heard, 3)
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        await owner.close()
