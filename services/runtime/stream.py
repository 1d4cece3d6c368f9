"""The stream port: publish a batch; subscribe, poll batches, seek, commit.  Two implementations."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from struct import unpack_from
from typing import NamedTuple, Protocol

import msgspec

from services.events.codec import Headers, Record
from services.events.topics import DEAD_LETTER_SUFFIX, TOPICS


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
    """What one poll brought from one partition, in offset order.

    Without records it only goes on: what lay there is no message, like the mark that ends a
    lender's transaction.  A position that stays before one is out of range when the mark expires.
    """

    partition: Partition
    position: int  # the offset polled from: the guard's $m
    records: tuple[Received, ...]
    next_offset: int  # where the next poll continues: the guard's $n


OnAssigned = Callable[[frozenset[Partition]], Awaitable[None]]


class OutOfRange(Exception):
    """A position outside what the stream still has.  Never reset silently: somebody must look."""

    def __init__(self, partitions: Iterable[Partition]) -> None:
        self.partitions = frozenset(partitions)
        super().__init__(", ".join(f"{p.topic}/{p.number}" for p in sorted(self.partitions)))


class Unreadable(Exception):
    """A record that the stream's client has and can't read; what is before it was given out."""

    def __init__(self, partition: Partition, position: int, why: str) -> None:
        self.partition = partition
        self.position = position  # the record is there, or the first one after it
        self.why = why
        super().__init__(f"{partition.topic}/{partition.number} at {position}: {why}")


class Producer(Protocol):
    """Publishes.  Order is kept per key; returns when all are acknowledged (acks=all)."""

    async def publish(self, records: Sequence[Record]) -> None:
        """All, or an exception after which any part may have been published: publish again."""

    async def close(self) -> None: ...


class Consumer(Protocol):
    """One member of a group."""

    async def poll(self, max_records: int, timeout_seconds: float) -> list[Polled]:
        """At most `max_records` over all partitions, which take turns; empty after the timeout.

        Raises OutOfRange, Unreadable, or the stream's own error: call it again after a while.
        """

    def assignment(self) -> frozenset[Partition]:
        """What this member may work on now; empty while the group is being rearranged."""

    def seek(self, partition: Partition, offset: int) -> None:
        """The next poll begins there."""

    def stop(self, partition: Partition) -> None:
        """Poll nothing more from it until it is assigned or sought again."""

    async def bounds(self, partitions: Iterable[Partition]) -> Mapping[Partition, tuple[int, int]]:
        """First offset still there, and the one behind the last."""

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        """A hint for lag tools; the truth is in the service's own database.  Raises nothing."""

    def trouble(self) -> str | None:
        """A sentence when messages wait, or a group, and nothing has moved for long."""

    async def close(self) -> None: ...


class Stream(Protocol):
    """Where producers and consumers come from."""

    async def ensure_topics(self, topics: Mapping[str, int] | None = None) -> None:
        """Creates what is missing of TOPICS and their dead letters (or of name → partitions)."""

    async def producer(self) -> Producer: ...

    async def consumer(
        self, group: str, topics: Sequence[str], on_assigned: OnAssigned
    ) -> Consumer:
        """`on_assigned` is awaited with the whole new assignment before its first poll.

        It seeks; a partition it does not seek is not polled.
        """

    def scan(self, topics: Sequence[str]) -> AsyncIterator[Polled]:
        """Everything that is there now, once, without a group: for people, not for services."""

    async def close(self) -> None: ...


def all_topics() -> dict[str, int]:
    """Every topic and its dead letters → partitions."""
    counts = {topic.name: topic.partitions for topic in TOPICS.values()}
    return counts | {name + DEAD_LETTER_SUFFIX: many for name, many in counts.items()}


_packer = msgspec.msgpack.Encoder()
_unpacker = msgspec.msgpack.Decoder(Headers)


def pack_headers(headers: Headers) -> bytes:
    """Headers as one column, bytes untouched."""
    return _packer.encode(headers)


def unpack_headers(packed: bytes) -> Headers:
    """What `pack_headers` packed."""
    return _unpacker.decode(packed)


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, count: int) -> int:
    """Kafka's own choice (murmur2 of the key), so that a key lands the same on both streams."""
    return (_murmur2(key) & 0x7FFFFFFF) % count


def _murmur2(data: bytes) -> int:
    # org.apache.kafka.common.utils.Utils.murmur2; whole words first, then the rest.
    multiplier, mask = 0x5BD1E995, 0xFFFFFFFF
    length = len(data)
    words = length & ~3
    state = (0x9747B28C ^ length) & mask
    for word in unpack_from(f"<{length >> 2}I", data):
        mixed = word * multiplier & mask
        mixed = (mixed ^ mixed >> 24) * multiplier & mask
        state = state * multiplier & mask ^ mixed
    if words < length:
        state = (state ^ int.from_bytes(data[words:], "little")) * multiplier & mask
    state = (state ^ state >> 13) * multiplier & mask
    return state ^ state >> 15
