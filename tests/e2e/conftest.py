"""One running installation a module: three services and the sandbox as processes of their own."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from services.trial import stepping
from services.trial.processes import running
from services.trial.world import World
from tests.database import Database
from tests.e2e.thread import Thread

# A Tuesday, 09:00 in New York: inside every hour that the packs know.
NOW = datetime(2026, 5, 12, 13, tzinfo=UTC)


@pytest.fixture
async def thread(
    stream_kind: str, database: Database, tmp_path: Path, empty_broker: str
) -> AsyncIterator[Thread]:
    """An installation on this test's stream, with `house` and `us-fed` in force."""
    world = World(
        folder=tmp_path,
        admin_url=database.admin_dsn,
        stream="kafka" if stream_kind == "kafka" else "postgres",
        kafka_bootstrap_servers=empty_broker,
        passwords={
            service: f"{service}-test-password" for service in ("scheduler", "policy", "notifier")
        },
        extra={"KAFKA_SESSION_TIMEOUT_SECONDS": "6"},
    )
    await world.prepare()
    owner = await stepping.connect(database.admin_dsn, NOW)
    options = ("--database-url", database.admin_dsn, "--clock", "database")
    try:
        async with (
            running(world, (*options, "--callback-delay", "0.01")) as processes,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
        ):
            made = Thread(world, processes, owner, session)
            await made.activate("house", "us-fed")
            yield made
    finally:
        await owner.close()
        await asyncio.sleep(0)
