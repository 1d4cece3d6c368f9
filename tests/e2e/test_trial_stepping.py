"""When business time may go on: nothing is left to do, wherever it is just then."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.runtime.database import Connection
from services.trial import stepping
from tests.database import Database

NOW = datetime(2026, 10, 30, 16, tzinfo=UTC)


class BusyWhileOneLooks:
    """A connection to a database in which work moves on after each statement that reads it."""

    def __init__(self, real: Connection) -> None:
        self._real = real

    async def fetchrow(self, *statement: Any) -> Any:
        found = await self._real.fetchrow(*statement)
        await consume(self._real)
        return found

    async def fetchval(self, *statement: Any) -> Any:
        found = await self._real.fetchval(*statement)
        await consume(self._real)
        return found


async def publish(owner: Connection) -> None:
    """An allowed reminder is on the stream, and the notifier hasn't read it yet."""
    topic = "reminder.allowed"
    await owner.execute(
        "UPDATE stream.partitions SET next_offset = 1 WHERE topic = $1 AND partition = 0", topic
    )
    await owner.execute(
        "INSERT INTO notifier.stream_positions"
        " (consumer_group, topic, partition, epoch, next_offset) VALUES ('notifier', $1, 0, 1, 0)",
        topic,
    )


async def consume(owner: Connection) -> None:
    """The notifier reads it: in one transaction the lag is gone and the attempt is there."""
    async with owner.transaction():
        moved = await owner.fetchval(
            "UPDATE notifier.stream_positions SET next_offset = 1 WHERE next_offset = 0 RETURNING 1"
        )
        if moved:
            await owner.execute(
                "INSERT INTO notifier.attempts (attempt_id, tenant, reminder_id, emission,"
                " borrower_id, priority) VALUES ($1, 'demo', $1, 1, $1, 40)",
                uuid4(),
            )


@pytest.fixture
async def sandbox() -> AsyncIterator[TestServer]:
    async def healthz(request: web.Request) -> web.Response:
        return web.json_response({"callbacks_pending": 0, "open_requests": 0})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    async with TestServer(app) as server:
        yield server


async def test_work_that_moves_on_while_one_looks_is_seen(
    database: Database, sandbox: TestServer
) -> None:
    owner = await stepping.connect(database.admin_dsn, NOW)
    try:
        async with aiohttp.ClientSession() as session:
            url = str(sandbox.make_url("")).rstrip("/")
            await publish(owner)
            moving: Any = BusyWhileOneLooks(owner)
            found = await stepping.Stepper(moving, url, session).open_work()
            assert any(found.values()), found
            found = await stepping.Stepper(owner, url, session).open_work()
            assert found["in_flight"] == 1
    finally:
        await owner.close()
