"""One fetch of a Kafka member: its partitions take turns, and a record nobody can read is found.

Where the client can't read a record it fails for all partitions together and doesn't say which it
was.  So each is asked alone once; the one that fails is asked for half as many records each time,
until it fails for a single one.  Nothing before that record is held up, and no other partition.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    UnsupportedCodecError,
)
from aiokafka.structs import ConsumerRecord

from services.runtime.stream import OutOfRange, Partition, Unreadable

REQUEST_SECONDS = 15.0
ALONE_WAIT_MS = 250

Records = dict[Partition, list[ConsumerRecord]]


class Search:
    """For the record that makes fetches fail; values only."""

    def __init__(self) -> None:
        self._suspects: deque[Partition] = deque()
        self._among = 0  # the first suspect has failed: it is one of so many records; 0: not yet

    def begin(self, partitions: Iterable[Partition]) -> None:
        """A fetch of all these failed by what lies in one of them."""
        self._suspects, self._among = deque(partitions), 0

    def suspect(self, polled: Container[Partition]) -> Partition | None:
        """Who is to be asked alone, while there is a search among those still polled."""
        while self._suspects and self._suspects[0] not in polled:
            self._next()
        return self._suspects[0] if self._suspects else None

    def limit(self, most: int) -> int:
        """For how many records the suspect is asked."""
        return max(1, self._among // 2) if self._among else most

    def read(self, count: int) -> None:
        """The suspect gave so many."""
        self._among -= count
        if count == 0 or self._among <= 0:
            self._next()

    def failed(self, limit: int) -> bool:
        """The suspect failed when asked for `limit`; true where that was one record: this is it."""
        self._among = limit
        if limit > 1:
            return False
        self._next()
        return True

    def _next(self) -> None:
        self._suspects.popleft()
        self._among = 0


class Fetcher:
    """Of one assignment."""

    def __init__(self) -> None:
        self._served: frozenset[Partition] = frozenset()
        self._search = Search()

    async def fetch(
        self,
        client: AIOKafkaConsumer,
        positions: Mapping[Partition, int],
        max_records: int,
        seconds: float,
    ) -> Records:
        """At most `max_records` from `positions` on; none after `seconds`, or a little later.

        Raises OutOfRange, Unreadable, or the client's own error; nothing is passed over by any.
        """
        suspect = self._search.suspect(positions)
        limit = self._search.limit(max_records) if suspect else max_records
        try:
            if suspect is None:
                return await self._fairly(client, list(positions), max_records, seconds)
            records = await _get(client, [suspect], ALONE_WAIT_MS, limit)
        except OutOfRange:
            raise
        except Exception as error:
            _go_back(client, positions)
            if not lies_in_a_record(error):
                raise
            if suspect is None:
                self._search.begin(positions)
                raise
            if self._search.failed(limit):
                raise Unreadable(suspect, positions[suspect], type(error).__name__) from None
            return {}
        self._search.read(sum(map(len, records.values())))
        return records

    async def _fairly(
        self,
        client: AIOKafkaConsumer,
        asked: Sequence[Partition],
        max_records: int,
        seconds: float,
    ) -> Records:
        """Those that had no turn last time go first; aiokafka itself would empty one by one."""
        records: Records = {}
        unserved = [partition for partition in asked if partition not in self._served]
        try:
            if unserved and len(unserved) < len(asked):
                records = await _get(client, unserved, 0, max_records)
            room = max_records - sum(map(len, records.values()))
            if room > 0:
                wait_ms = 0 if records else max(0, int(seconds * 1000))
                for partition, behind in (await _get(client, asked, wait_ms, room)).items():
                    records[partition] = records.get(partition, []) + behind
        except OutOfRange:
            if not records:
                raise  # else it will say so again
        self._served = frozenset(records)
        return records


def lies_in_a_record(error: Exception) -> bool:
    """The client has the bytes and can't read them, as opposed to: it can't get them."""
    if isinstance(error, CorruptRecordException | UnsupportedCodecError):
        return True
    return not isinstance(error, KafkaError | OSError)


async def _get(
    client: AIOKafkaConsumer, partitions: Sequence[Partition], wait_ms: int, max_records: int
) -> Records:
    places = [TopicPartition(*partition) for partition in partitions]
    try:
        # getmany itself waits without end while the group is rearranged.
        async with asyncio.timeout(wait_ms / 1000 + REQUEST_SECONDS):
            got = await client.getmany(*places, timeout_ms=wait_ms, max_records=max_records)
    except NoOffsetForPartitionError:
        return {}  # a look-up begun before our seek: the seek has decided
    except OffsetOutOfRangeError as error:
        raise OutOfRange(Partition(*place) for place in error.args[0]) from None
    return {Partition(*place): records for place, records in got.items()}


def _go_back(client: AIOKafkaConsumer, positions: Mapping[Partition, int]) -> None:
    """The client may be past records that it never gave out."""
    for partition, position in positions.items():
        with contextlib.suppress(KafkaError):  # not assigned any more
            client.seek(TopicPartition(*partition), position)
