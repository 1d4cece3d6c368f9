"""A process killed at any named point loses nothing and does nothing twice."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator

import pytest

from services.runtime import database as db
from services.runtime.database import Pool
from tests.database import Database
from tests.runtime.streams import Streams, publish
from tests.runtime.test_consume import cancelled

POINTS = (
    "consume.polled",
    "consume.before_commit",
    "consume.after_commit",
    "outbox.before_publish",
    "outbox.after_publish",
)


@pytest.fixture
def streams(request: pytest.FixtureRequest, stream_kind: str, database: Database) -> Streams:
    servers = request.getfixturevalue("empty_kafka") if stream_kind == "kafka" else ""
    return Streams(stream_kind, database, servers)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with db.pool(database.dsn("policy"), schema="policy") as opened:
        await opened.execute("CREATE TABLE seen (reminder_id uuid, version int)")
        yield opened


async def start(streams: Streams, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.runtime.consumer_process",
        json.dumps([streams.kind, streams.database.dsn("policy"), streams.bootstrap_servers]),
        env=os.environ | environment,
        stderr=asyncio.subprocess.DEVNULL,
    )


@pytest.mark.parametrize("point", POINTS)
async def test_a_kill_at_a_named_point_loses_nothing_and_repeats_no_effect(
    streams: Streams, pool: Pool, point: str
) -> None:
    async with streams.open() as stream:
        await stream.ensure_topics()
        await publish(stream, [cancelled(n) for n in range(120)])
        doomed = await start(streams, DUNWELL_TESTING="1", DUNWELL_CRASH_AT=f"{point}:2")
        try:
            async with asyncio.timeout(120):
                assert await doomed.wait() == -signal.SIGKILL
        finally:
            if doomed.returncode is None:
                doomed.kill()
        if point != "consume.after_commit":  # every other place leaves something undone
            left = "SELECT (SELECT count(*) FROM seen) < 120 OR EXISTS (SELECT FROM outbox)"
            assert await pool.fetchval(left)
        heir = await start(streams)
        try:
            deadline = time.monotonic() + 120
            done = "SELECT (SELECT count(*) FROM seen) >= 120 AND NOT EXISTS (SELECT FROM outbox)"
            while not await pool.fetchval(done):
                assert time.monotonic() < deadline, "not within the time"
                await asyncio.sleep(0.05)
        finally:
            heir.terminate()
            await heir.wait()
        versions = [row["version"] for row in await pool.fetch("SELECT version FROM seen")]
        assert sorted(versions) == list(range(120))
        told = [
            int(message.value)
            async for polled in stream.scan(["borrower.replied"])
            for message in polled.records
        ]
        # Published at least once: consumers are idempotent.
        assert set(told) == set(range(120))


async def test_a_crash_point_outside_of_tests_is_refused(streams: Streams) -> None:
    process = await start(streams, DUNWELL_TESTING="", DUNWELL_CRASH_AT="consume.polled:1")
    assert await process.wait() == 1
