"""The outbox: records written with the state change and published, in order, after its commit.

A relay takes the schema's turn, reads the oldest rows, publishes and deletes them.  Rows are always
taken from the head, so none of a key leaves before an older one, and a row whose transaction
committed late is not passed over (a cursor `WHERE seq > last` lost 45 % of rows under 8 writers).
Rows of one key are in the order of their writers' locks: a writer holds the aggregate's row before
it puts.  A crash between publishing and deleting publishes again.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from services.events.codec import Record
from services.runtime import log, metrics, queries
from services.runtime.crashpoints import reach
from services.runtime.database import Connection, Pool, connected, transaction
from services.runtime.stream import Producer, pack_headers, unpack_headers

SQL = queries.load(Path(__file__).with_name("outbox.sql"))

BATCH = 1000
SWEEP_SECONDS = 0.5  # what another process's crash left waits at most this long
PUBLISH_SECONDS = 15.0
TURN_TIMEOUT = "20s"  # longer than a publish: then the relay is frozen or gone
UNREADY_SECONDS = 10.0
BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


async def put(connection: Connection, records: Sequence[Record]) -> None:
    """In the caller's transaction; call `Outbox.nudge` after its commit."""
    if not records:
        return
    await connection.execute(
        SQL["put"],
        [record.topic for record in records],
        [record.key for record in records],
        [record.value for record in records],
        [pack_headers(record.headers) for record in records],
        [record.partition for record in records],
    )


class Outbox:
    """The relay of one process; any number of processes of a service may run theirs."""

    def __init__(self, db: Pool, producer: Producer) -> None:
        self._db = db
        self._producer = producer
        self._nudged = asyncio.Event()
        self._failing: tuple[float, str] | None = None  # since when, and the last error's class

    def nudge(self) -> None:
        """Something was committed: publish it now."""
        self._nudged.set()

    async def unready(self) -> str | None:
        """Readiness: what was committed reaches the stream."""
        if self._failing and (seconds := time.monotonic() - self._failing[0]) > UNREADY_SECONDS:
            return f"nothing is published for {seconds:.0f} s: {self._failing[1]}"
        return None

    async def run(self) -> None:
        """Publish for ever.  A stream or database that is away is waited for."""
        failures = 0
        while True:
            nudged = self._nudged.is_set()
            self._nudged.clear()
            try:
                if nudged or await self._waiting():
                    while await self._relay() == BATCH:
                        pass
                failures, self._failing = 0, None
            except Exception as error:
                # Its text may quote a row: the class says enough.
                name = type(error).__name__
                self._failing = (self._failing[0] if self._failing else time.monotonic(), name)
                log.get().warning("relay_failed", error=name, retries=failures)
                await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1
                self._nudged.set()
            # Not wait_for: Python 3.11's swallows a cancellation that comes with the nudge.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SWEEP_SECONDS):
                    await self._nudged.wait()

    async def _waiting(self) -> bool:
        async with connected(self._db) as connection:
            waiting: bool = await connection.fetchval(SQL["waiting"])
        return waiting

    async def _relay(self) -> int:
        """Publish the oldest rows; returns how many."""
        async with transaction(self._db) as connection:
            await connection.execute(SQL["take_turn"], TURN_TIMEOUT)
            # A statement of its own: its snapshot must be younger than our turn.
            rows = await connection.fetch(SQL["oldest"], BATCH)
            if not rows:
                return 0
            records = [
                Record(
                    topic=row["topic"],
                    key=row["key"],
                    value=row["value"],
                    headers=unpack_headers(row["headers"]),
                    partition=row["partition"],
                )
                for row in rows
            ]
            reach("outbox.before_publish")
            async with asyncio.timeout(PUBLISH_SECONDS):
                await self._producer.publish(records)
            reach("outbox.after_publish")
            await connection.execute(SQL["published"], [row["id"] for row in rows])
        for topic, count in Counter(record.topic for record in records).items():
            metrics.PUBLISHED.labels(topic).inc(count)
        return len(rows)
