"""A member of a group on the PostgreSQL stream: leases, heartbeats, polls."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg

from services.runtime import log, queries
from services.runtime.database import FAILED, Pool, transaction
from services.runtime.stream import (
    OnAssigned,
    OutOfRange,
    Partition,
    Polled,
    Received,
    unpack_headers,
)

SQL = queries.load(Path(__file__).with_name("stream_postgres.sql"))

LOOK_SECONDS = 5.0
RETENTION_SECONDS = 60.0  # how often one member drops what is read
KEEP_READ = timedelta(hours=24)  # for a scan, and for a service put back to its backup
KEEP_UNREAD = timedelta(days=7)  # of topics no group reads: Kafka's own default


class PostgresConsumer:
    """A member that holds leases; its heart beats in a task of its own."""

    def __init__(
        self,
        db: Pool,
        group: str,
        topics: Sequence[str],
        on_assigned: OnAssigned,
        session_seconds: float,
    ) -> None:
        self._db = db
        self.group = group
        self.topics = list(topics)
        self._on_assigned = on_assigned
        self._session = session_seconds
        self._member = uuid4()
        self._leases: dict[Partition, int] = {}  # its generation: counts changes of hands
        self._held_until = 0.0  # monotonic; counted from before the statement that renewed
        self._unannounced = False
        self._positions: dict[Partition, int] = {}
        self._turn = 0
        self._beaten_at = self._looked_at = time.monotonic()
        self.appended = asyncio.Event()
        self.rearranged = asyncio.Event()
        self._heart: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Join the group; returns when the first leases are there."""
        async with transaction(self._db) as connection:
            await connection.execute(SQL["make_leases"], self.group, self.topics)
            await connection.execute(SQL["make_commits"], self.group, self.topics)
        await self._beat()
        self._heart = asyncio.create_task(self._keep_beating())

    async def poll(self, max_records: int, timeout_seconds: float) -> list[Polled]:
        deadline = time.monotonic() + timeout_seconds
        while True:
            await self._announce()
            self.appended.clear()
            if polled := await self._fetch(max_records):
                return polled
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                await self._look_beyond_the_end()
                return []
            # Not wait_for: Python 3.11's swallows a cancellation that comes with the event.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self.appended.wait()

    def assignment(self) -> frozenset[Partition]:
        if self._unannounced or time.monotonic() >= self._held_until:
            return frozenset()
        return frozenset(self._leases)

    def seek(self, partition: Partition, offset: int) -> None:
        if partition in self._leases:
            self._positions[partition] = offset

    def stop(self, partition: Partition) -> None:
        self._positions.pop(partition, None)

    async def bounds(self, partitions: Iterable[Partition]) -> Mapping[Partition, tuple[int, int]]:
        return await read_bounds(self._db, partitions)

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        try:
            await self._db.execute(
                SQL["commit"],
                self.group,
                [partition.topic for partition in positions],
                [partition.number for partition in positions],
                list(positions.values()),
            )
        except FAILED as error:
            log.get().warning("commit_failed", group=self.group, error=type(error).__name__)

    def trouble(self) -> str | None:
        silent = time.monotonic() - self._beaten_at
        if silent > 6 * self._session:
            return f"no sign of life of this member reached the stream for {silent:.0f} s"
        return None

    async def close(self) -> None:
        """Give the leases back, so that others take them at once."""
        if self._heart is not None:
            self._heart.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._heart
        self._leases, self._positions = {}, {}
        try:
            async with asyncio.timeout(3), transaction(self._db) as connection:
                await connection.execute(SQL["release"], self.group, self._member, [], [])
                await connection.execute(SQL["leave"], self.group, self._member)
                await connection.execute(SQL["tell_members"], self.group)
        except FAILED:
            pass  # the leases expire by themselves

    async def _announce(self) -> None:
        if not self._unannounced:
            return
        assigned = dict(self._leases)
        self._positions = {}
        self._unannounced = False
        try:
            await self._on_assigned(frozenset(assigned))
        except BaseException:
            self._unannounced = True  # asked again at the next poll
            raise

    async def _fetch(self, max_records: int) -> list[Polled]:
        held = self.assignment()
        asked = sorted(p for p in self._positions if p in held)
        if not asked:
            return []
        # Whoever had the first turn has the last one next time: a backlog in one partition can't
        # keep the others waiting.
        self._turn = (self._turn + 1) % len(asked)
        asked = asked[self._turn :] + asked[: self._turn]
        positions = {partition: self._positions[partition] for partition in asked}
        rows = await self._db.fetch(
            SQL["poll"],
            [partition.topic for partition in asked],
            [partition.number for partition in asked],
            list(positions.values()),
            max_records,
        )
        polled = by_partition(rows, positions)
        if gone := [p.partition for p in polled if p.records[0].offset > p.position]:
            raise OutOfRange(gone)
        for batch in polled:
            # A seek or a loss during the query wins.
            if self._positions.get(batch.partition) == batch.position:
                self._positions[batch.partition] = batch.next_offset
        return polled

    async def _look_beyond_the_end(self) -> None:
        """A position behind the end (the stream was put back to a backup) would wait in silence."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS or not self.assignment():
            return
        self._looked_at = time.monotonic()
        bounds = await read_bounds(self._db, self._positions)
        if beyond := [p for p, at in self._positions.items() if p in bounds and at > bounds[p][1]]:
            raise OutOfRange(beyond)

    async def _keep_beating(self) -> None:
        dropped_at = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._session / 3):
                    await self.rearranged.wait()
            self.rearranged.clear()
            try:
                await self._beat()
                if time.monotonic() - dropped_at > RETENTION_SECONDS:
                    dropped_at = time.monotonic()
                    await drop_read(self._db)
            except FAILED as error:
                log.get().warning("heartbeat_failed", group=self.group, error=type(error).__name__)
                await asyncio.sleep(min(1.0, self._session / 6))

    async def _beat(self) -> None:
        """Renew; then take and give back so that the live members share evenly."""
        began = time.monotonic()
        session = timedelta(seconds=self._session)
        async with asyncio.timeout(self._session), transaction(self._db) as connection:
            joined = await connection.fetchval(
                SQL["beat"], self.group, self._member, self.topics, session
            )
            members = {
                row["member_id"]: frozenset(row["topics"])
                for row in await connection.fetch(SQL["live_members"], self.group)
            }
            partitions = [
                Partition(row["topic"], row["partition"])
                for row in await connection.fetch(SQL["group_partitions"], self.group)
            ]
            mine = fair_share(partitions, members, self._member)
            columns = [p.topic for p in mine], [p.number for p in mine]
            released = await connection.fetch(SQL["release"], self.group, self._member, *columns)
            acquired = await connection.fetch(
                SQL["acquire"], self.group, self._member, *columns, session
            )
            if joined or released:
                await connection.execute(SQL["tell_members"], self.group)
        self._beaten_at = began
        self._held_until = began + self._session
        leases = {Partition(row["topic"], row["partition"]): row["generation"] for row in acquired}
        if leases != self._leases:
            self._leases = leases
            self._unannounced = True
            self.appended.set()


def fair_share(
    partitions: Sequence[Partition], members: Mapping[UUID, frozenset[str]], me: UUID
) -> list[Partition]:
    """Every member works this out for itself, from the same rows, and comes to the same answer."""
    mine = []
    for turn, partition in enumerate(sorted(partitions)):
        able = sorted(member for member, topics in members.items() if partition.topic in topics)
        if able and able[turn % len(able)] == me:
            mine.append(partition)
    return mine


async def drop_read(db: Pool) -> None:
    """Drop old messages that every group has read; one process at a time."""
    async with transaction(db) as connection:
        if await connection.fetchval(SQL["take_retention"]):
            await connection.execute(SQL["forget_dead_members"])
            await connection.execute(SQL["drop_read"], KEEP_READ, KEEP_UNREAD)


async def read_bounds(
    db: Pool, partitions: Iterable[Partition]
) -> dict[Partition, tuple[int, int]]:
    """First offset still there and the one behind the last."""
    wanted = list(partitions)
    rows = await db.fetch(SQL["bounds"], [p.topic for p in wanted], [p.number for p in wanted])
    return {
        Partition(row["topic"], row["partition"]): (row["first_offset"], row["next_offset"])
        for row in rows
    }


def by_partition(
    rows: Sequence["asyncpg.Record"], positions: Mapping[Partition, int]
) -> list[Polled]:
    batches: dict[Partition, list[Received]] = {}
    for topic, number, offset, key, value, headers in rows:
        batches.setdefault(Partition(topic, number), []).append(
            Received(offset, key, value, unpack_headers(headers))
        )
    return [
        Polled(partition, positions[partition], tuple(records), records[-1].offset + 1)
        for partition, records in batches.items()
    ]
