"""A consumer's stored positions: taken over with a higher epoch, moved only by who holds it."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import asyncpg

from services.runtime import log, metrics, queries
from services.runtime.database import Connection, Pool, connected
from services.runtime.stream import Consumer, Partition, Polled

SQL = queries.load(Path(__file__).with_name("positions.sql"))

REJOIN_SECONDS = 3.0  # a heartbeat: by then a former owner knows that it is one


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
        self._fenced: dict[Partition, float] = {}  # → when to look whether it is ours again
        self.stopped: set[Partition] = set()

    def holds(self, partition: Partition) -> bool:
        """Whether we took it over and have not seen ourselves fenced since."""
        return partition in self._epochs

    async def take_over(self, consumer: Consumer, partitions: Iterable[Partition]) -> None:
        """These are ours and no others: fence whoever had them, go on where they stopped."""
        self._epochs, self._fenced, self.stopped = {}, {}, set()
        await self._begin(consumer, partitions)

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
                self._fenced[partition] = time.monotonic() + REJOIN_SECONDS
                metrics.FENCED.labels(partition.topic).inc()
                log.get().warning("fenced", topic=partition.topic, partition=partition.number)

    async def look_at_fenced(self, consumer: Consumer) -> None:
        """Still assigned to us after a heartbeat: then they are ours, take them again."""
        now = time.monotonic()
        if due := {partition for partition, at in self._fenced.items() if at <= now}:
            self._fenced.update(dict.fromkeys(due, now + REJOIN_SECONDS))
            await self._begin(consumer, due & consumer.assignment())
            self._fenced = {p: at for p, at in self._fenced.items() if p not in due}

    def stop(self, consumer: Consumer, partitions: Iterable[Partition]) -> None:
        """Their positions are not in the stream: a person must look, nothing is reset."""
        for partition in partitions:
            consumer.stop(partition)
            self.stopped.add(partition)
            self._epochs.pop(partition, None)
            log.get().error(
                "partition_stopped",
                topic=partition.topic,
                partition=partition.number,
                group=self._group,
                reason="out_of_range",
            )

    async def lag(self, consumer: Consumer) -> int:
        """Messages behind our positions."""
        bounds = await consumer.bounds(self._epochs)
        stored = await self._stored(bounds)
        done: int = sum(row["next_offset"] for row in stored)
        return sum(end for _, end in bounds.values()) - done

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
