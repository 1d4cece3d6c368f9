"""A consumer's stored positions: taken over with a higher epoch, moved only by who holds it."""

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import asyncpg

from services.runtime import log, metrics, queries
from services.runtime.database import Connection, Pool, connected
from services.runtime.stream import Consumer, Partition, Polled, Unreadable

SQL = queries.load(Path(__file__).with_name("positions.sql"))

REJOIN_SECONDS = 3.0  # a heartbeat: by then a former owner knows that it is one
UNREADABLE_SECONDS = 60.0  # then it is tried again: it was the client, or somebody has gone past it
# For the lag.  Longer, and a Kafka consumer takes its own standstill for a pause of ours.
LAG_WAIT_SECONDS = 4.0


class Fenced(Exception):
    """The guard moved fewer partitions than it should: the rest belongs to somebody else."""

    def __init__(self, kept: frozenset[Partition]) -> None:
        self.kept = kept


class Positions:
    """What one loop knows of its partitions; the truth is in `stream_positions`."""

    def __init__(self, db: Pool, group: str) -> None:
        self._db = db
        self._group = group
        self._epochs: dict[Partition, int] = {}
        self._again: dict[Partition, float] = {}  # fenced, unreadable → when to begin again
        self._stopped: set[Partition] = set()
        self._unreadable: dict[Partition, Unreadable] = {}
        self.known = False  # whether the group has said which are ours

    def trouble(self) -> str | None:
        """What a person must look at."""
        if self._stopped:
            numbers = ", ".join(str(partition.number) for partition in sorted(self._stopped))
            return (
                f"stopped at partitions {numbers}: the stored position is not in the stream any "
                "more (a restored backup, or retention). Put stream_positions right, then restart."
            )
        if self._unreadable:
            (partition, record), *others = sorted(self._unreadable.items())
            more = f", and {len(others)} more partitions stand so" if others else ""
            return (
                f"a record at partition {partition.number}, offset {record.position}, can't be "
                f"read: {record.why}{more}. What is behind it waits."
            )
        return None

    def holds(self, partition: Partition) -> bool:
        """Whether we took it over and have not seen ourselves fenced since."""
        return partition in self._epochs

    async def take_over(self, consumer: Consumer, partitions: Iterable[Partition]) -> None:
        """These are ours and no others: fence whoever had them, go on where they stopped."""
        self._epochs, self._again, self._stopped, self._unreadable = {}, {}, set(), {}
        await self._begin(consumer, partitions)
        self.known = True

    async def move(self, connection: Connection, batch: Sequence[Polled]) -> None:
        """The guard: must be the first statement of the batch's transaction."""
        moved = await connection.fetch(
            SQL["move"],
            self._group,
            [polled.partition.topic for polled in batch],
            [polled.partition.number for polled in batch],
            [self._epochs.get(polled.partition, -1) for polled in batch],
            [polled.position for polled in batch],
            [polled.next_offset for polled in batch],
        )
        if len(moved) < len(batch):
            raise Fenced(frozenset(Partition(*row) for row in moved))

    async def let_go(self, consumer: Consumer, partitions: Sequence[Partition]) -> None:
        """Fenced: leave them.  Ours after all (a commit's answer was lost): go on behind it."""
        for row in await self._stored(partitions):
            partition = Partition(row["topic"], row["partition"])
            if row["epoch"] == self._epochs.get(partition):
                consumer.seek(partition, row["next_offset"])
            else:
                consumer.stop(partition)
                self._epochs.pop(partition, None)
                self._again[partition] = time.monotonic() + REJOIN_SECONDS
                metrics.FENCED.labels(partition.topic).inc()
                log.get().warning("fenced", topic=partition.topic, partition=partition.number)

    async def begin_again(self, consumer: Consumer) -> None:
        """Those whose time has come, if they are still assigned to us: a fenced one is then ours,
        and an unreadable one is read from where it is stored now."""
        now = time.monotonic()
        if due := {partition for partition, at in self._again.items() if at <= now}:
            self._again.update(dict.fromkeys(due, now + REJOIN_SECONDS))
            await self._begin(consumer, due & consumer.assignment())
            self._again = {p: at for p, at in self._again.items() if p not in due}

    def wait_before(self, consumer: Consumer, record: Unreadable) -> None:
        """Nobody can read it: its partition waits there, and the others go on."""
        partition = record.partition
        consumer.stop(partition)
        self._again[partition] = time.monotonic() + UNREADABLE_SECONDS
        self._unreadable[partition] = record
        log.get().error(
            "record_unreadable",
            topic=partition.topic,
            partition=partition.number,
            offset=record.position,
            group=self._group,
            error=record.why,
        )

    def read(self, partitions: Iterable[Partition]) -> None:
        """These gave something: whatever could not be read there is passed."""
        if self._unreadable:
            for partition in partitions:
                self._unreadable.pop(partition, None)

    def stop(self, consumer: Consumer, partitions: Iterable[Partition]) -> None:
        """Their positions are not in the stream: a person must look, nothing is reset."""
        for partition in partitions:
            consumer.stop(partition)
            self._stopped.add(partition)
            self._epochs.pop(partition, None)
            log.get().error(
                "partition_stopped",
                topic=partition.topic,
                partition=partition.number,
                group=self._group,
                reason="out_of_range",
            )

    async def measure(self, consumer: Consumer, topic: str) -> None:
        """Set the gauge of the lag; NaN where nobody answers: the last one would be good news."""
        try:
            async with asyncio.timeout(LAG_WAIT_SECONDS):
                metrics.LAG.labels(topic).set(await self.lag(consumer))
        except Exception as error:
            metrics.LAG.labels(topic).set(math.nan)
            log.get().warning("lag_unknown", topic=topic, error=type(error).__name__)

    async def lag(self, consumer: Consumer) -> int:
        """Messages behind our positions; all of a partition that is stopped, for it has none."""
        bounds = await consumer.bounds({*self._epochs, *self._stopped})
        behind = 0
        for row in await self._stored(bounds):
            partition = Partition(row["topic"], row["partition"])
            first, end = bounds[partition]
            behind += end - (first if partition in self._stopped else row["next_offset"])
        return behind

    async def _begin(self, consumer: Consumer, partitions: Iterable[Partition]) -> None:
        bounds = await consumer.bounds(partitions)
        async with connected(self._db) as connection:
            rows = await connection.fetch(
                SQL["take_over"],
                self._group,
                [partition.topic for partition in bounds],
                [partition.number for partition in bounds],
                [first for first, _ in bounds.values()],
            )
        outside = []
        for row in rows:
            partition = Partition(row["topic"], row["partition"])
            first, end = bounds[partition]
            if first <= row["next_offset"] <= end:
                self._epochs[partition] = row["epoch"]
                consumer.seek(partition, row["next_offset"])
            else:
                outside.append(partition)
        self.stop(consumer, outside)

    async def _stored(self, partitions: Iterable[Partition]) -> list[asyncpg.Record]:
        wanted = list(partitions)
        async with connected(self._db) as connection:
            return await connection.fetch(
                SQL["stored"], self._group, [p.topic for p in wanted], [p.number for p in wanted]
            )
