"""The consumer loop: effects and offset commit together, and a former owner can't commit."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.events.codec import Envelope, Record, encode
from services.events.reminders import ReminderCancelled
from services.events.stops import StopLifted
from services.runtime import consume as loop
from services.runtime import database as db
from services.runtime import outbox
from services.runtime.admin import Health
from services.runtime.consume import Rejection, consume
from services.runtime.database import Connection, Overtaken, Pool
from services.runtime.deadletters import list_dead_letters
from services.runtime.stream import Stream
from tests.database import Database
from tests.runtime.streams import Streams, publish

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
TOPIC = "reminder.cancelled"


@pytest.fixture
def streams(request: pytest.FixtureRequest, stream_kind: str, database: Database) -> Streams:
    # The real topics, so on Kafka a broker with nothing of other tests on it.
    servers = request.getfixturevalue("empty_kafka") if stream_kind == "kafka" else ""
    return Streams(stream_kind, database, servers)


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[Pool]:
    async with db.pool(database.dsn("policy"), schema="policy") as opened:
        await opened.execute(
            "CREATE TABLE seen (reminder_id uuid, reason text CHECK (reason <> 'poison'),"
            " version int, place bigint GENERATED ALWAYS AS IDENTITY)"
        )
        yield opened


def cancelled(version: int, reason: str = "paid", reminder_id: UUID | None = None) -> Record:
    event = ReminderCancelled(
        tenant="acme",
        reminder_id=reminder_id or uuid4(),
        borrower_id=uuid4(),
        version=version,
        reason=reason,
        cancelled_at=NOW,
    )
    return encode(
        event, source="/test", key=f"acme/{version % 20}".encode(), event_id=uuid4(), time=NOW
    )


async def note(connection: Connection, batch: Sequence[Envelope]) -> Sequence[Rejection]:
    """A handler that writes down what it saw, and refuses every version 13."""
    events = [e.event for e in batch if isinstance(e.event, ReminderCancelled)]
    await connection.execute(
        "INSERT INTO seen (reminder_id, reason, version)"
        " SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[])",
        [e.reminder_id for e in events],
        [e.reason for e in events],
        [e.version for e in events],
    )
    return [
        Rejection(e, "unlucky", "version 13")
        for e in batch
        if isinstance(e.event, ReminderCancelled) and e.event.version == 13
    ]


@asynccontextmanager
async def consuming(
    streams: Streams, pool: Pool, handler: loop.Handler = note, health: Health | None = None
) -> AsyncIterator[Stream]:
    """A service's consumer and relay, until the end of the block; yields the stream."""
    async with streams.open() as stream:
        await stream.ensure_topics()
        producer = await stream.producer()
        relay = outbox.Outbox(pool, producer)
        tasks = [
            asyncio.create_task(relay.run()),
            asyncio.create_task(
                consume(
                    stream=stream,
                    db=pool,
                    group="policy",
                    handlers={TOPIC: handler},
                    outbox=relay,
                    health=health or Health(),
                )
            ),
        ]
        try:
            yield stream
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await producer.close()


async def until(pool: Pool, sql: str, wanted: object, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while (found := await pool.fetchval(sql)) != wanted:
        assert time.monotonic() < deadline, f"{sql}: {found}, not {wanted}"
        await asyncio.sleep(0.05)


async def test_every_message_is_handled_once_and_the_offset_moves_with_it(
    streams: Streams, pool: Pool
) -> None:
    async with consuming(streams, pool) as stream:
        for start in range(0, 3000, 1000):
            await publish(stream, [cancelled(n + 100) for n in range(start, start + 1000)])
        await until(pool, "SELECT count(*) FROM seen", 3000)
    assert await pool.fetchval("SELECT count(DISTINCT reminder_id) FROM seen") == 3000
    assert await pool.fetchval("SELECT sum(next_offset) FROM stream_positions") == 3000
    # Started again, it goes on where it stopped.
    async with consuming(streams, pool) as stream:
        await publish(stream, [cancelled(99)])
        await until(pool, "SELECT count(*) FROM seen", 3001)


async def test_an_undecodable_message_goes_to_the_dead_letters_and_the_rest_is_handled(
    streams: Streams, pool: Pool, capsys: pytest.CaptureFixture[str]
) -> None:
    good = cancelled(1)
    broken = Record(topic=TOPIC, key=b"k", value=b"{", headers=good.headers)
    alien = Record(topic=TOPIC, key=b"k", value=b"hello", headers=())
    # Also in a field that nobody reads: msgspec gives up on it with a RecursionError.
    deep = b'{"tenant": "acme", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    bottomless = Record(topic=TOPIC, key=b"k", value=deep, headers=good.headers)
    async with consuming(streams, pool) as stream:
        await publish(stream, [broken, good, alien, bottomless, cancelled(13)])
        await until(pool, "SELECT count(*) FROM seen", 2)
        await until(pool, "SELECT count(*) FROM outbox", 0)
        letters = await list_dead_letters(stream, [TOPIC])
    assert sorted((letter.code, letter.tenant) for letter in letters) == [
        ("malformed", "acme"),
        ("malformed", "acme"),
        ("not_cloudevents", None),
        ("unlucky", "acme"),
    ]
    said = [line for line in "".join(capsys.readouterr()).splitlines() if "dead_lettered" in line]
    for code in ("malformed", "not_cloudevents", "unlucky"):
        assert any(code in line for line in said), said


async def test_a_message_that_always_fails_is_found_and_put_aside(
    streams: Streams, pool: Pool
) -> None:
    batch = [cancelled(n + 100) for n in range(40)]
    batch[17] = cancelled(117, reason="poison")
    async with consuming(streams, pool) as stream:
        await publish(stream, batch)
        await until(pool, "SELECT count(*) FROM seen", 39)
        await until(pool, "SELECT count(*) FROM outbox", 0)
        letters = await list_dead_letters(stream, [TOPIC])
    assert [(letter.code, letter.detail) for letter in letters] == [
        ("handler_failed", "CheckViolationError")
    ]


async def test_a_failure_of_the_surroundings_is_waited_out(streams: Streams, pool: Pool) -> None:
    failures = iter(
        [OSError("gone"), asyncpg.DeadlockDetectedError("x"), Overtaken(), TimeoutError()]
    )

    async def fails_at_first(
        connection: Connection, batch: Sequence[Envelope]
    ) -> Sequence[Rejection]:
        await note(connection, batch)
        if error := next(failures, None):
            raise error
        return ()

    async with consuming(streams, pool, fails_at_first) as stream:
        await publish(stream, [cancelled(n + 100) for n in range(10)])
        await until(pool, "SELECT count(*) FROM seen", 10)
        assert await list_dead_letters(stream, [TOPIC]) == []


async def test_a_former_owner_commits_nothing(streams: Streams, pool: Pool) -> None:
    """Somebody raises the epochs while a batch is in the handler's hands."""
    in_force = "SELECT max(epoch) FROM stream_positions"
    handled: list[int] = []

    async def robbed(connection: Connection, batch: Sequence[Envelope]) -> Sequence[Rejection]:
        handled.append(await connection.fetchval(in_force))
        return await note(connection, batch)

    async with consuming(streams, pool, robbed) as stream:
        await publish(stream, [cancelled(101)])
        await until(pool, "SELECT count(*) FROM seen", 1)
        await pool.execute("UPDATE stream_positions SET epoch = epoch + 1")
        stolen = await pool.fetchval(in_force)
        await publish(stream, [cancelled(102)])
        await until(pool, "SELECT count(*) FROM seen", 2)
    # Fenced: the guard comes first, so the handler was not even asked. Nobody else has the
    # partition: after a heartbeat we take it again, with an epoch above the thief's.
    assert len(handled) == 2
    assert handled[1] > stolen
    assert await pool.fetchval("SELECT count(*) FROM seen") == 2


async def test_a_position_outside_the_stream_stops_the_partition_and_says_so(
    streams: Streams, pool: Pool
) -> None:
    await pool.execute(
        "INSERT INTO stream_positions (consumer_group, topic, partition, epoch, next_offset)"
        " SELECT 'policy', $1, n, 1, 1000 FROM generate_series(0, 5) AS n",
        TOPIC,
    )
    health = Health()
    async with consuming(streams, pool, health=health) as stream:
        await publish(stream, [cancelled(n + 100) for n in range(40)])
        free = "SELECT coalesce(sum(next_offset), 0) FROM stream_positions WHERE partition > 5"
        await until(pool, "SELECT count(*) > 0 FROM seen", True)
        await asyncio.sleep(0.5)
        assert await pool.fetchval("SELECT count(*) FROM seen") == await pool.fetchval(free)
        said = await health.unready()
        assert "partitions 0, 1, 2, 3, 4, 5" in said[f"consume {TOPIC}"]
        stuck = "SELECT bool_and(next_offset = 1000) FROM stream_positions WHERE partition <= 5"
        assert await pool.fetchval(stuck) is True


async def test_a_slow_topic_delays_no_other(streams: Streams, pool: Pool) -> None:
    reached = asyncio.Event()

    async def slow(_connection: Connection, _batch: Sequence[Envelope]) -> Sequence[Rejection]:
        reached.set()
        await asyncio.sleep(3600)
        return ()

    lifted = encode(
        StopLifted(tenant="acme", stop_id=uuid4(), ended_at=NOW, lifted_by="clerk"),
        source="/test",
        key=b"acme/1",
        event_id=uuid4(),
        time=NOW,
    )
    async with streams.open() as stream:
        await stream.ensure_topics()
        await publish(stream, [lifted, cancelled(1)])
        relay = outbox.Outbox(pool, await stream.producer())
        task = asyncio.create_task(
            consume(
                stream=stream,
                db=pool,
                group="policy",
                handlers={"stop.events": slow, TOPIC: note},
                outbox=relay,
                health=Health(),
            )
        )
        await reached.wait()
        await until(pool, "SELECT count(*) FROM seen", 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
