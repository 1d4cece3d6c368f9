"""The consumer loop: offsets are stored with their effects, and an epoch fences former owners.

One loop a topic, so that a slow topic delays no other; in it one batch at a time.  A batch is one
transaction over all partitions that the poll brought: the guard, the handler, the dead letters.
"""

import asyncio
import math
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg
from msgspec import structs

from services.events.codec import Envelope, InvalidMessage, Record, decode
from services.runtime import log, metrics
from services.runtime.admin import Health
from services.runtime.crashpoints import reach
from services.runtime.database import AT_ONCE, Connection, Pool, transaction
from services.runtime.deadletters import CODES, dead_letter
from services.runtime.outbox import Outbox, put
from services.runtime.positions import Fenced, Positions
from services.runtime.stream import (
    Consumer,
    OutOfRange,
    Partition,
    Polled,
    Received,
    Stream,
    Unreadable,
)

POLL_SECONDS = 1.0
HINT_SECONDS = 1.0
LAG_SECONDS = 10.0
UNREADY_SECONDS = 10.0
ALIVE_SECONDS = 120.0
BACKOFF_SECONDS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
TRIES_BEFORE_BLAME = 3

# What lies in a message, not in our surroundings: classes 22 and 23, and asyncpg's own "can't
# encode", a ValueError.  Anything else stops the topic until it is mended: nothing is sent.
IN_THE_MESSAGE = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    ValueError,
    ArithmeticError,
)


class Rejection(NamedTuple):
    """A handler's word that this message can never be handled as it is."""

    envelope: Envelope
    code: str
    detail: str


Handler = Callable[[Connection, Sequence[Envelope]], Awaitable[Sequence[Rejection]]]


async def consume(
    *,
    stream: Stream,
    db: Pool,
    group: str,
    handlers: Mapping[str, Handler],
    outbox: Outbox,
    health: Health,
    max_records: int = 500,
    after_commit: Callable[[], None] | None = None,
) -> None:
    """Consume every topic of `handlers` for ever; `after_commit` is called after each batch."""
    async with asyncio.TaskGroup() as tasks:
        for topic, handler in handlers.items():
            loop = TopicLoop(stream, db, group, topic, handler, outbox, max_records, after_commit)
            health.live(f"consume {topic}", loop.dead)
            health.ready(f"consume {topic}", loop.unready)
            tasks.create_task(loop.run())


@dataclass
class TopicLoop:
    """One topic's loop."""

    stream: Stream
    db: Pool
    group: str
    topic: str
    handler: Handler
    outbox: Outbox
    max_records: int
    after_commit: Callable[[], None] | None

    def __post_init__(self) -> None:
        # The Kafka group has the topic in its name: a rebalance of one topic disturbs no other.
        self._name = f"{self.group}.{self.topic}"
        self._positions = Positions(self.db, self.group)
        self._consumer: Consumer | None = None
        self._done: dict[Partition, int] = {}  # committed here, not yet hinted to the stream
        self._hinted_at = self._lag_at = 0.0
        self._alive_at = time.monotonic()
        self._seldom = log.Seldom()
        self._failing: tuple[float, str] | None = None  # since when, and the error's class
        metrics.start_at_zero(metrics.DEAD_LETTERS, [self.topic], CODES)

    def dead(self) -> str | None:
        """Liveness: the loop turns, and the stream moves."""
        if (still := time.monotonic() - self._alive_at) > ALIVE_SECONDS:
            return f"the loop has not turned for {still:.0f} s"
        return self._consumer.trouble() if self._consumer else None

    async def unready(self) -> str | None:
        """Readiness: nothing stands still for a reason that a person should see."""
        if trouble := self._positions.trouble():
            return trouble
        if self._failing and (seconds := time.monotonic() - self._failing[0]) > UNREADY_SECONDS:
            return f"stands still for {seconds:.0f} s: {self._failing[1]}"
        return None

    async def run(self) -> None:
        """Poll, settle, hint, for ever."""
        failures = 0
        while self._consumer is None:
            self._alive_at = time.monotonic()
            try:
                self._consumer = await self.stream.consumer(
                    self._name, [self.topic], self._take_over
                )
            except Exception as error:
                await self._back_off("subscribe_failed", error, failures)
                failures += 1
        try:
            await self._turn(self._consumer)
        finally:
            await asyncio.shield(self._consumer.close())

    async def _take_over(self, partitions: frozenset[Partition]) -> None:
        assert self._consumer is not None  # it is the one that polls and so calls
        await self._positions.take_over(self._consumer, partitions)

    async def _turn(self, consumer: Consumer) -> None:
        failures = 0
        while True:
            self._alive_at = time.monotonic()
            try:
                await self._positions.begin_again(consumer)
                polled = await consumer.poll(self.max_records, POLL_SECONDS)
            except OutOfRange as error:
                self._positions.stop(consumer, error.partitions)
                continue
            except Unreadable as error:
                self._positions.wait_before(consumer, error)
                continue
            except Exception as error:
                await self._back_off("poll_failed", error, failures)
                failures += 1
                continue
            failures, self._failing = 0, None
            self._positions.read(p.partition for p in polled)
            if mine := [p for p in polled if self._positions.holds(p.partition)]:
                reach("consume.polled")
                await self._settle(consumer, mine, TRIES_BEFORE_BLAME)
            await self._hint(consumer)

    async def _settle(self, consumer: Consumer, batch: list[Polled], tries: int) -> None:
        """Try until the batch is committed, or is somebody else's."""
        failures = 0
        while batch:
            self._alive_at = time.monotonic()
            try:
                batch = await self._attempt_or_let_go(consumer, batch, None)
            except AT_ONCE:
                await asyncio.sleep(random.uniform(0, 0.02))
            except Exception as error:
                failures += 1
                if not isinstance(error, IN_THE_MESSAGE) or failures < tries:
                    await self._back_off("batch_failed", error, failures - 1)
                elif halves := _halves(batch):
                    for half in halves:
                        alone = len(half) == 1 and len(half[0].records) <= 1
                        await self._settle(consumer, half, TRIES_BEFORE_BLAME if alone else 1)
                    return
                else:
                    # Alone, and it fails each time: it is this message.
                    batch = await self._put_aside(consumer, batch, error)

    async def _attempt_or_let_go(
        self, consumer: Consumer, batch: list[Polled], failed: str | None
    ) -> list[Polled]:
        """Returns what is still to be done: nothing, or what the guard left us."""
        try:
            await self._attempt(batch, failed)
        except Fenced as fenced:
            lost = [polled.partition for polled in batch if polled.partition not in fenced.kept]
            await self._positions.let_go(consumer, lost)
            return [polled for polled in batch if polled.partition in fenced.kept]
        self._failing = None
        return []

    async def _put_aside(
        self, consumer: Consumer, batch: list[Polled], error: Exception
    ) -> list[Polled]:
        partition, position, records, _ = structs.astuple(batch[0])
        log.get().error(
            "message_put_aside",
            topic=self.topic,
            partition=partition.number,
            offset=records[0].offset if records else position,
            error=type(error).__name__,
        )
        try:
            return await self._attempt_or_let_go(consumer, batch, type(error).__name__)
        except Exception as again:
            await self._back_off("batch_failed", again, 0)
            return batch

    async def _attempt(self, batch: Sequence[Polled], failed: str | None) -> None:
        """One transaction: all of the batch or nothing."""
        began = time.monotonic()
        async with transaction(self.db) as connection:
            await self._positions.move(connection, batch)
            dead = await self._handle(connection, batch, failed)
            await put(connection, dead)
            reach("consume.before_commit")
        reach("consume.after_commit")
        self._done.update({polled.partition: polled.next_offset for polled in batch})
        self.outbox.nudge()
        if self.after_commit is not None:
            self.after_commit()
        metrics.CONSUMED.labels(self.topic).inc(sum(len(polled.records) for polled in batch))
        metrics.BATCH_SECONDS.labels(self.topic).observe(time.monotonic() - began)
        codes = Counter(dict(record.headers)["dlq_reason"].decode() for record in dead)
        for code, count in codes.items():
            metrics.DEAD_LETTERS.labels(self.topic, code).inc(count)
            self._seldom.warning("dead_lettered", topic=self.topic, code=code, count=count)

    async def _handle(
        self, connection: Connection, batch: Sequence[Polled], failed: str | None
    ) -> list[Record]:
        """Hand over what can be understood; returns the dead letters."""
        now = datetime.now(UTC)
        envelopes: list[Envelope] = []
        dead: list[Record] = []
        received: dict[tuple[int, int], tuple[Partition, Received]] = {}
        for polled in batch:
            number = polled.partition.number
            for message in polled.records:
                received[number, message.offset] = polled.partition, message
                try:
                    envelope = decode(
                        topic=self.topic,
                        partition=number,
                        offset=message.offset,
                        headers=message.headers,
                        value=message.value,
                    )
                except InvalidMessage as no:
                    dead.append(dead_letter(polled.partition, message, no.code, no.detail, now))
                else:
                    envelopes.append(envelope)
        rejections: Sequence[Rejection] = ()
        if failed is not None:
            rejections = [Rejection(e, "handler_failed", failed) for e in envelopes]
        elif envelopes:
            rejections = await self.handler(connection, envelopes)
        for envelope, code, detail in rejections:
            partition, message = received[envelope.partition, envelope.offset]
            dead.append(dead_letter(partition, message, code, detail, now))
        return dead

    async def _hint(self, consumer: Consumer) -> None:
        now = time.monotonic()
        if self._done and now - self._hinted_at >= HINT_SECONDS:
            self._hinted_at = now
            done, self._done = self._done, {}
            await consumer.commit(done)
        if self._positions.known and now - self._lag_at >= LAG_SECONDS:
            self._lag_at = now
            await self._positions.measure(consumer, self.topic)

    async def _back_off(self, what: str, error: Exception, failures: int) -> None:
        """Log the class only: an exception's text may quote a message."""
        name = type(error).__name__
        self._failing = self._failing or (time.monotonic(), name)
        if time.monotonic() - self._failing[0] > UNREADY_SECONDS:
            metrics.LAG.labels(self.topic).set(math.nan)  # nobody measures meanwhile
        log.get().warning(what, topic=self.topic, error=name, retries=failures)
        pause = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))


def _halves(batch: list[Polled]) -> list[list[Polled]]:
    """Split by partition first, then in two; nothing when one message is left."""
    if len(batch) > 1:
        return [[polled] for polled in batch]
    partition, position, records, end = structs.astuple(batch[0])
    if len(records) <= 1:
        return []
    middle = len(records) // 2
    between = records[middle].offset
    first = Polled(partition, position, records[:middle], between)
    second = Polled(partition, between, records[middle:], end)
    return [[first], [second]]
