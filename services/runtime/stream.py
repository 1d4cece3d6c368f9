"""The stream port: publish a batch; subscribe, poll batches, seek, commit.  Two implementations."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec

from services.events.codec import Headers, Record


class Partition(NamedTuple):
    """A topic and one of its partitions."""

    topic: str
    number: int


class Received(msgspec.Struct, frozen=True):
    """One message as it came.  Offsets rise within a partition and may have gaps."""

    offset: int
    key: bytes
    value: bytes
    headers: Headers


class Polled(msgspec.Struct, frozen=True):
    """What one poll brought from one partition, in offset order; never empty."""

    partition: Partition
    position: int  # the offset polled from: the guard's $m
    records: tuple[Received, ...]

    @property
    def next_offset(self) -> int:
        """Where the next poll continues: the guard's $n."""
        return self.records[-1].offset + 1


OnAssigned = Callable[[frozenset[Partition]], Awaitable[None]]


class Producer(Protocol):
    """Publishes.  Order is kept per key; returns when all are acknowledged (acks=all)."""

    async def publish(self, records: Sequence[Record]) -> None:
        """All, or an exception after which any part may have been published: publish again."""

    async def close(self) -> None: ...


class Consumer(Protocol):
    """One member of a group."""

    async def poll(self, max_records: int, timeout_seconds: float) -> list[Polled]:
        """At most `max_records` over all partitions; the empty list after the timeout."""

    def assignment(self) -> frozenset[Partition]: ...

    def seek(self, partition: Partition, offset: int) -> None: ...

    async def bounds(self, partitions: Iterable[Partition]) -> Mapping[Partition, tuple[int, int]]:
        """First offset still there, and the one behind the last."""

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """A hint for lag tools; the truth is in the service's own database."""

    async def close(self) -> None: ...


class Stream(Protocol):
    """Where producers and consumers come from."""

    async def ensure_topics(self) -> None:
        """Creates what is missing of TOPICS and their dead letters; idempotent."""

    async def producer(self) -> Producer: ...

    async def consumer(
        self, group: str, topics: Sequence[str], on_assigned: OnAssigned
    ) -> Consumer:
        """`on_assigned` is awaited with the whole new assignment before its first poll."""

    async def close(self) -> None: ...
