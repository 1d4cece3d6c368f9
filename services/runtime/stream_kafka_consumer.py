"""A member of a Kafka group: fair polls, positions of our own, and no silent standstill."""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import ConsumerRecord

from services.runtime import log
from services.runtime.stream import OnAssigned, Partition, Polled, Received
from services.runtime.stream_kafka_fetch import REQUEST_SECONDS, Fetcher

# Apache Kafka answers a fetch as soon as there is something: this is not the latency of a hop but
# the price of idling (5 consumers: 9 % of a core at 30 ms, 2.6 % at 250).  It delays only a
# partition that was left out of the fetch under way, which takes a batch of more than 100 ms.
FETCH_WAIT_MS = 250
MAX_POLL_INTERVAL_MS = 300_000
CLOSE_SECONDS = 5.0
LOOK_SECONDS = 5.0  # how often an idle member asks whether there is something after all
STALL_SECONDS = 20.0  # messages wait and none comes: make the client anew
TROUBLE_SECONDS = 90.0  # it did not help: let the process be restarted


class KafkaConsumer(ConsumerRebalanceListener):  # type: ignore[misc]
    """Wraps an aiokafka consumer, which is thrown away when it hangs.

    aiokafka can stand still for ever after a broker's restart (aio-libs/aiokafka#1154), with all
    its tasks alive: only the messages that wait and don't come show it.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        group: str,
        topics: Sequence[str],
        on_assigned: OnAssigned,
        session_seconds: float,
    ) -> None:
        self._options = options
        self._group = group
        self._topics = list(topics)
        self._on_assigned = on_assigned
        self._session = session_seconds
        self._client: AIOKafkaConsumer | None = None
        self._assigned: frozenset[Partition] | None = None  # none: the group is being rearranged
        self._announced: frozenset[Partition] | None = None
        self._changed = asyncio.Event()
        self._positions: dict[Partition, int] = {}
        self._fetcher = Fetcher()
        self._moved_at = self._polled_at = self._looked_at = time.monotonic()
        self._stuck_since: float | None = None

    async def start(self) -> None:
        """Connect and ask to join the group; the assignment comes with a later poll."""
        client = AIOKafkaConsumer(
            **self._options,
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",  # never silently: the stored position decides
            isolation_level="read_committed",  # what a lender's transaction took back never was
            fetch_max_wait_ms=FETCH_WAIT_MS,
            session_timeout_ms=int(self._session * 1000),
            heartbeat_interval_ms=int(self._session * 1000 / 3),
            max_poll_interval_ms=MAX_POLL_INTERVAL_MS,
            rebalance_timeout_ms=int(max(30.0, self._session * 2) * 1000),
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
        )
        try:
            await client.start()
            if missing := set(self._topics) - await client.topics():
                raise LookupError(f"no topic {', '.join(sorted(missing))}: run `dunwell topics`")
            client.subscribe(self._topics, listener=self)
        except BaseException:
            await _stop(client)
            raise
        self._client = client
        self._moved_at = time.monotonic()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What we still work on is fenced by its epoch as soon as somebody else begins."""
        self._assigned = self._announced = None
        self._positions = {}

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._assigned = frozenset(Partition(*place) for place in assigned)
        self._moved_at = time.monotonic()
        self._changed.set()

    async def poll(self, max_records: int, timeout_seconds: float) -> list[Polled]:
        now = time.monotonic()
        deadline = now + timeout_seconds
        if now - self._polled_at > STALL_SECONDS / 2:
            self._moved_at = now  # nobody polled: that is no standstill of the client's
        try:
            await self._look(now)
            while True:
                if polled := await self._fetch(max_records, deadline - time.monotonic()):
                    self._moved_at, self._stuck_since = time.monotonic(), None
                    return polled
                if time.monotonic() >= deadline:
                    return []
        finally:
            self._polled_at = time.monotonic()

    def assignment(self) -> frozenset[Partition]:
        return self._announced or frozenset()

    def seek(self, partition: Partition, offset: int) -> None:
        # Not assigned any more: the next announcement says so.
        with contextlib.suppress(KafkaError):
            place = TopicPartition(*partition)
            self._running.resume(place)
            self._running.seek(place, offset)
            self._positions[partition] = offset

    def stop(self, partition: Partition) -> None:
        self._positions.pop(partition, None)
        with contextlib.suppress(KafkaError):
            self._running.pause(TopicPartition(*partition))

    async def bounds(self, partitions: Iterable[Partition]) -> Mapping[Partition, tuple[int, int]]:
        places = [TopicPartition(*partition) for partition in partitions]
        if not places:
            return {}
        firsts = await self._running.beginning_offsets(places)
        ends = await self._running.end_offsets(places)
        return {Partition(*place): (firsts[place], ends[place]) for place in places}

    async def commit(self, positions: Mapping[Partition, int]) -> None:
        mine = {TopicPartition(*p): at for p, at in positions.items() if p in self.assignment()}
        if not mine:
            return  # all taken away meanwhile; aiokafka refuses an empty commit
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._running.commit(mine)
        except (KafkaError, TimeoutError) as error:
            log.get().debug("commit_failed", group=self._group, error=type(error).__name__)

    def trouble(self) -> str | None:
        if self._stuck_since is None:
            return None
        stuck = time.monotonic() - self._stuck_since
        return f"nothing moves for {stuck:.0f} s" if stuck > TROUBLE_SECONDS else None

    async def close(self) -> None:
        """Leave the group, so that others take over at once."""
        if self._client is not None:
            await _stop(self._client)

    @property
    def _running(self) -> AIOKafkaConsumer:
        if self._client is None:
            raise KafkaError("the consumer is being made anew")
        return self._client

    async def _fetch(self, max_records: int, seconds: float) -> list[Polled]:
        assigned = await self._settled(seconds)
        if assigned is None:
            return []
        if not self._positions:
            self._changed.clear()
            await _wait(self._changed, min(seconds, 0.2))
            return []
        records = await self._fetcher.fetch(self._running, self._positions, max_records, seconds)
        if self._announced is not assigned:
            return []  # rearranged meanwhile: these are read again from where they have to be
        polled = [taken for place, got in records.items() if (taken := self._take(place, got))]
        return polled or await self._passed()

    async def _settled(self, seconds: float) -> frozenset[Partition] | None:
        """The assignment, announced; or none within the time."""
        if self._assigned is None:
            self._changed.clear()
            await _wait(self._changed, seconds)
        assigned = self._assigned
        if assigned is None:
            return None
        if self._announced is not assigned:
            self._positions, self._fetcher = {}, Fetcher()
            await self._on_assigned(assigned)
            if self._assigned is not assigned:
                return None
            self._announced = assigned
        return assigned

    def _take(self, partition: Partition, records: Sequence[ConsumerRecord]) -> Polled | None:
        position = self._positions.get(partition)
        if position is None:
            return None
        kept = tuple(received(record) for record in records if record.offset >= position)
        if not kept:
            return None
        self._positions[partition] = kept[-1].offset + 1
        return Polled(partition, position, kept, kept[-1].offset + 1)

    async def _passed(self) -> list[Polled]:
        """Nothing came: where the client is further than we are it has passed what is no record."""
        assigned, found = self._announced, []
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(LOOK_SECONDS):
                for partition, position in list(self._positions.items()):
                    client_is_at = await self._running.position(TopicPartition(*partition))
                    if client_is_at > position:
                        found.append(Polled(partition, position, (), client_is_at))
        if self._announced is not assigned:
            return []
        self._positions.update({polled.partition: polled.next_offset for polled in found})
        return found

    async def _look(self, now: float) -> None:
        """Idle, or standing still?  If it stands still, begin with a new client."""
        if self._client is None:
            await self.start()
        if now - self._moved_at < LOOK_SECONDS or now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        if self._announced is not None:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    if await self._read_all():
                        self._moved_at, self._stuck_since = now, None
        if now - self._moved_at > max(STALL_SECONDS, 3 * self._session):
            await self._begin_anew()

    async def _read_all(self) -> bool:
        """Nothing is left to read."""
        bounds = await self.bounds(self._positions)
        return all(end <= self._positions.get(p, end) for p, (_, end) in bounds.items())

    async def _begin_anew(self) -> None:
        log.get().error("consumer_stalled", group=self._group)
        client, self._client = self._running, None
        self._assigned = self._announced = None
        self._positions = {}
        await _stop(client)
        stuck_since = self._stuck_since or self._moved_at
        # With the broker away nothing is stuck here: the error tells the loop.
        self._stuck_since = None
        await self.start()
        self._stuck_since = stuck_since


def received(record: ConsumerRecord) -> Received:
    """Kafka's record as ours; an absent key or value is the empty one."""
    headers = tuple((name, content or b"") for name, content in record.headers)
    return Received(record.offset, record.key or b"", record.value or b"", headers)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        # Not wait_for: Python 3.11's swallows a cancellation that comes with the event.
        async with asyncio.timeout(max(0.0, seconds)):
            await event.wait()


async def _stop(client: AIOKafkaConsumer) -> None:
    # A task of its own: a client whose inner tasks were cancelled may end as cancelled itself, and
    # that must not be taken for our own cancellation, nor ours for its.
    stopping = asyncio.ensure_future(client.stop())
    try:
        await asyncio.wait({stopping}, timeout=CLOSE_SECONDS)
    finally:
        stopping.cancel()
    if stopping.done() and not stopping.cancelled():
        with contextlib.suppress(KafkaError, TimeoutError):
            stopping.result()
