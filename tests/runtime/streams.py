"""What the tests of streams share: a stream of either kind, records, and a plain group member."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from services.events.codec import Headers, Record
from services.runtime.settings import ServiceSettings
from services.runtime.stream import Consumer, Partition, Polled, Stream
from services.runtime.streams import open_stream
from tests.database import Database

SESSION_SECONDS = 3.0


def stream_settings(kind: str, database_url: str, bootstrap_servers: str) -> ServiceSettings:
    """A service's settings, as far as its stream asks."""
    return ServiceSettings(
        database_url=database_url,
        stream=kind,
        kafka_bootstrap_servers=bootstrap_servers,
        kafka_session_timeout_seconds=SESSION_SECONDS,
        identity_key="i" * 32,
        api_key_pepper="p" * 32,
    )


class Streams:
    """Opens any number of streams on the same server, each like a process of its own."""

    def __init__(self, kind: str, database: Database, bootstrap_servers: str) -> None:
        self.kind = kind
        self.database = database
        self.bootstrap_servers = bootstrap_servers

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Stream]:
        url = self.database.dsn("policy")
        settings = stream_settings(self.kind, url, self.bootstrap_servers)
        async with open_stream(settings) as stream:
            yield stream

    @asynccontextmanager
    async def other_process(self, group: str, topic: str) -> AsyncIterator["OtherProcess"]:
        """A member that can be killed for real."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.runtime.member_process",
            json.dumps([self.kind, self.database.dsn("policy"), self.bootstrap_servers]),
            group,
            topic,
            stdout=asyncio.subprocess.PIPE,
        )
        try:
            yield OtherProcess(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
            process._transport.close()  # type: ignore[attr-defined]


class OtherProcess:
    """Says a line whenever its assignment changes: how many partitions it has."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        assert process.stdout is not None
        self._lines = process.stdout

    async def until_assigned(self, count: int) -> None:
        async with asyncio.timeout(120):
            while line := await self._lines.readline():
                if line.strip() == str(count).encode():
                    return
        raise AssertionError("the other member ended")

    def kill(self) -> None:
        self._process.kill()


def streams_for(request: pytest.FixtureRequest, kind: str, database: Database) -> Streams:
    """The fixture `kafka` is asked for only where it is used: it costs a broker's start."""
    servers = request.getfixturevalue("kafka") if kind == "kafka" else "127.0.0.1:1"
    return Streams(kind, database, servers)


def record(
    topic: str, key: str, value: str, *, headers: Headers = (), partition: int | None = None
) -> Record:
    return Record(
        topic=topic, key=key.encode(), value=value.encode(), headers=headers, partition=partition
    )


async def new_topic(stream: Stream, partitions: int = 12) -> str:
    """A topic that no other test knows."""
    name = f"test.{uuid4().hex[:12]}"
    await stream.ensure_topics({name: partitions})
    return name


async def publish(stream: Stream, records: Sequence[Record]) -> None:
    producer = await stream.producer()
    try:
        await producer.publish(records)
    finally:
        await producer.close()


class Member:
    """A group's member that begins at given positions, else at the earliest, and keeps all."""

    def __init__(self, start: dict[Partition, int] | None = None) -> None:
        self.start = start or {}
        self.polled: list[Polled] = []
        self.assignments: list[frozenset[Partition]] = []
        self.consumer: Consumer

    async def join(self, stream: Stream, group: str, topic: str) -> "Member":
        self.consumer = await stream.consumer(group, [topic], self._on_assigned)
        return self

    async def _on_assigned(self, partitions: frozenset[Partition]) -> None:
        self.assignments.append(partitions)
        for partition, (first, _) in (await self.consumer.bounds(partitions)).items():
            self.consumer.seek(partition, self.start.get(partition, first))

    async def poll(self, max_records: int = 500, timeout: float = 0.3) -> list[Polled]:
        polled = await self.consumer.poll(max_records, timeout)
        self.polled += polled
        return polled

    async def until(self, enough: Callable[[], bool], seconds: float = 90.0) -> None:
        """Poll until it is so."""
        deadline = time.monotonic() + seconds
        while not enough():
            assert time.monotonic() < deadline, "not within the time"
            await self.poll()

    @property
    def values(self) -> list[str]:
        return [message.value.decode() for polled in self.polled for message in polled.records]


async def until_all(members: Sequence[Member], enough: Callable[[], bool]) -> None:
    """Let several members poll side by side until it is so."""
    deadline = time.monotonic() + 90
    while not enough():
        assert time.monotonic() < deadline, "not within the time"
        await asyncio.gather(*(member.poll() for member in members))
