"""The stream in PostgreSQL: one machine, no broker.  Offset order is commit order."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from weakref import WeakSet

import asyncpg

from services.events.codec import Record
from services.runtime.database import FAILED, Pool
from services.runtime.stream import (
    OnAssigned,
    Partition,
    Polled,
    all_topics,
    pack_headers,
    partition_of,
)
from services.runtime.stream_postgres_consumer import (
    SQL,
    PostgresConsumer,
    by_partition,
    read_bounds,
)

APPENDED = "dunwell_stream"  # NOTIFY: the topic
REARRANGED = "dunwell_stream_members"  # NOTIFY: the group
SCAN_RECORDS = 1000


class PostgresProducer:
    """Appends a batch in one short transaction: all of it or nothing."""

    def __init__(self, db: Pool) -> None:
        self._db = db
        self._counts: dict[str, int] = {}

    async def publish(self, records: Sequence[Record]) -> None:
        """One statement a batch; two batches of one key wait for each other."""
        if not records:
            return
        if any(record.topic not in self._counts for record in records):
            self._counts = {
                row["topic"]: row["many"] for row in await self._db.fetch(SQL["partition_counts"])
            }
        await self._db.execute(
            SQL["append"],
            [record.topic for record in records],
            [self._partition(record) for record in records],
            [record.key for record in records],
            [record.value for record in records],
            [pack_headers(record.headers) for record in records],
        )

    async def close(self) -> None:
        """Nothing is buffered here."""

    def _partition(self, record: Record) -> int:
        if record.partition is not None:
            return record.partition
        if record.topic not in self._counts:
            raise ValueError(f"no topic {record.topic}: run `dunwell topics`")
        return partition_of(record.key, self._counts[record.topic])


class PostgresStream:
    """Owns a small pool, and one connection that listens for everybody in this process."""

    def __init__(self, db: Pool, url: str, session_seconds: float) -> None:
        self._db = db
        self._url = url
        self._session = session_seconds
        self._consumers: WeakSet[PostgresConsumer] = WeakSet()
        self._listener = asyncio.create_task(self._listen())

    async def ensure_topics(self, topics: Mapping[str, int] | None = None) -> None:
        if topics is None:
            topics = all_topics()
        await self._db.execute(SQL["make_partitions"], list(topics), list(topics.values()))

    async def producer(self) -> PostgresProducer:
        return PostgresProducer(self._db)

    async def consumer(
        self, group: str, topics: Sequence[str], on_assigned: OnAssigned
    ) -> PostgresConsumer:
        known = {row["topic"] for row in await self._db.fetch(SQL["partition_counts"])}
        if missing := set(topics) - known:
            raise LookupError(f"no topic {', '.join(sorted(missing))}: run `dunwell topics`")
        consumer = PostgresConsumer(self._db, group, topics, on_assigned, self._session)
        self._consumers.add(consumer)
        await consumer.start()
        return consumer

    async def scan(self, topics: Sequence[str]) -> AsyncIterator[Polled]:
        counts = {r["topic"]: r["many"] for r in await self._db.fetch(SQL["partition_counts"])}
        everything = [Partition(t, n) for t in topics for n in range(counts.get(t, 0))]
        bounds = await read_bounds(self._db, everything)
        for partition, (position, end) in sorted(bounds.items()):
            while position < end:
                rows = await self._db.fetch(
                    SQL["poll"], [partition.topic], [partition.number], [position], SCAN_RECORDS
                )
                polled = by_partition(rows, {partition: position})
                if not polled:
                    break
                yield polled[0]
                position = polled[0].next_offset

    async def close(self) -> None:
        self._listener.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listener

    async def _listen(self) -> None:
        """Wake consumers; a lost connection is made again, and everybody looks for themselves."""
        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(
                    self._url, timeout=5, server_settings={"application_name": "dunwell-listen"}
                )
            except FAILED:
                await asyncio.sleep(0.5)
                continue
            try:
                connection.add_termination_listener(lambda _, lost=lost: lost.set())
                await connection.add_listener(APPENDED, self._on_notify)
                await connection.add_listener(REARRANGED, self._on_notify)
                self._wake()
                await lost.wait()
            except FAILED:
                await asyncio.sleep(0.5)
            finally:
                with contextlib.suppress(Exception):
                    connection.terminate()

    def _on_notify(self, _connection: object, _pid: int, channel: str, payload: object) -> None:
        for consumer in self._consumers:
            if channel == APPENDED and payload in consumer.topics:
                consumer.appended.set()
            elif channel == REARRANGED and payload == consumer.group:
                consumer.rearranged.set()

    def _wake(self) -> None:
        for consumer in self._consumers:
            consumer.appended.set()
