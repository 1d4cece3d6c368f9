"""The outbox: published if and only if committed, in the order of each key."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from services.events.codec import Record
from services.runtime import database as db
from services.runtime import outbox as outbox_module
from services.runtime.database import Pool, transaction
from services.runtime.outbox import Outbox, put
from services.runtime.stream import Producer, Stream
from tests.database import Database
from tests.runtime.streams import Streams, new_topic, record, streams_for


@pytest.fixture
def streams(request: pytest.FixtureRequest, stream_kind: str, database: Database) -> Streams:
    return streams_for(request, stream_kind, database)


@pytest.fixture
async def stream(streams: Streams) -> AsyncIterator[Stream]:
    async with streams.open() as opened:
        yield opened


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with db.pool(database.dsn("policy"), schema="policy", max_size=16) as opened:
        yield opened


@asynccontextmanager
async def relaying(pool: Pool, producer: Producer, relays: int = 1) -> AsyncIterator[list[Outbox]]:
    """That many relays, each as if in a process of its own."""
    outboxes = [Outbox(pool, producer) for _ in range(relays)]
    tasks = [asyncio.create_task(outbox.run()) for outbox in outboxes]
    try:
        yield outboxes
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await producer.close()


async def until_empty(pool: Pool) -> None:
    deadline = time.monotonic() + 90
    while await pool.fetchval("SELECT count(*) FROM outbox"):
        assert time.monotonic() < deadline, "the outbox does not empty"
        await asyncio.sleep(0.02)


async def values(stream: Stream, topic: str) -> list[str]:
    return [m.value.decode() async for polled in stream.scan([topic]) for m in polled.records]


async def put_and_fail(pool: Pool, unwanted: Record) -> None:
    async with transaction(pool) as connection:
        await put(connection, [unwanted])
        raise ZeroDivisionError


async def test_what_is_rolled_back_is_not_published(stream: Stream, pool: Pool) -> None:
    topic = await new_topic(stream)
    async with relaying(pool, await stream.producer()) as [outbox]:
        with pytest.raises(ZeroDivisionError):
            await put_and_fail(pool, record(topic, "k", "never"))
        async with transaction(pool) as connection:
            await put(connection, [record(topic, "k", "once", headers=(("h", b"\x00\x01"),))])
            assert await connection.fetchval("SELECT count(*) FROM outbox") == 1
        outbox.nudge()
        await until_empty(pool)
    got = [m async for polled in stream.scan([topic]) for m in polled.records]
    assert [(m.value, m.headers) for m in got] == [(b"once", (("h", b"\x00\x01"),))]


async def test_several_relays_keep_the_order_of_every_key(stream: Stream, pool: Pool) -> None:
    topic = await new_topic(stream, 3)
    await pool.execute("CREATE TABLE aggregates (key text PRIMARY KEY, version int)")
    await pool.execute("INSERT INTO aggregates SELECT 'k' || n, 0 FROM generate_series(0, 7) n")

    async def write(outbox: Outbox) -> None:
        for _ in range(40):
            key = f"k{random.randrange(8)}"
            async with transaction(pool) as connection:
                version = await connection.fetchval(
                    "UPDATE aggregates SET version = version + 1 WHERE key = $1 RETURNING version",
                    key,
                )
                await put(connection, [record(topic, key, f"{key}:{version}")])
                await asyncio.sleep(random.uniform(0, 0.004))
            outbox.nudge()

    async with relaying(pool, await stream.producer(), relays=3) as outboxes:
        await asyncio.gather(*(write(outboxes[n % 3]) for n in range(6)))
        await until_empty(pool)
    got = await values(stream, topic)
    assert len(got) == 240
    for key in (f"k{n}" for n in range(8)):
        versions = [int(v.partition(":")[2]) for v in got if v.startswith(f"{key}:")]
        assert versions == list(range(1, len(versions) + 1))


async def test_a_row_that_commits_late_is_not_passed_over(stream: Stream, pool: Pool) -> None:
    topic = await new_topic(stream, 1)
    async with relaying(pool, await stream.producer()) as [outbox]:
        async with transaction(pool) as slow:
            await put(slow, [record(topic, "slow", "older id")])
            async with transaction(pool) as quick:
                await put(quick, [record(topic, "quick", "younger id")])
            outbox.nudge()
            while not await values(stream, topic):
                await asyncio.sleep(0.02)
        outbox.nudge()
        await until_empty(pool)
    assert await values(stream, topic) == ["younger id", "older id"]


async def test_what_nobody_nudged_is_swept_up(stream: Stream, pool: Pool) -> None:
    topic = await new_topic(stream, 1)
    async with transaction(pool) as connection:
        await put(connection, [record(topic, "k", str(n)) for n in range(5)])
    async with relaying(pool, await stream.producer()):
        await until_empty(pool)
    assert await values(stream, topic) == ["0", "1", "2", "3", "4"]


class Interrupted:
    """A connection to the stream that fails half-way: published, but the answer is lost."""

    def __init__(self, producer: Producer, failures: int) -> None:
        self._producer = producer
        self._failures = failures

    async def publish(self, records: Sequence[Record]) -> None:
        await self._producer.publish(records)
        if self._failures:
            self._failures -= 1
            raise ConnectionResetError

    async def close(self) -> None:
        await self._producer.close()


async def test_a_service_whose_outbox_is_stuck_is_not_ready_until_it_moves(
    stream: Stream, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "UNREADY_SECONDS", 0.2)
    topic = await new_topic(stream, 1)
    interrupted = Interrupted(await stream.producer(), 1000)
    async with relaying(pool, interrupted) as [outbox]:
        assert await outbox.unready() is None
        async with transaction(pool) as connection:
            await put(connection, [record(topic, "k", "a")])
        deadline = time.monotonic() + 60
        while (said := await outbox.unready()) is None:
            assert time.monotonic() < deadline, "nobody is told"
            await asyncio.sleep(0.05)
        assert said.startswith("nothing is published for")
        assert said.endswith("ConnectionResetError")
        interrupted._failures = 0
        await until_empty(pool)
        while await outbox.unready():
            assert time.monotonic() < deadline, "it is said for ever"
            await asyncio.sleep(0.05)


async def test_a_stream_that_fails_is_tried_again_until_it_answers(
    stream: Stream, pool: Pool
) -> None:
    topic = await new_topic(stream, 1)
    async with relaying(pool, Interrupted(await stream.producer(), 2)) as [outbox]:
        async with transaction(pool) as connection:
            await put(connection, [record(topic, "k", "a"), record(topic, "k", "b")])
        outbox.nudge()
        await until_empty(pool)
    assert await values(stream, topic) == ["a", "b"] * 3
