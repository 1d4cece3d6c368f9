"""A continuous flow: intents are claimed as there is room, and leave as pace and slots allow."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from services.events.words import Channel as ChannelName
from services.notifier.channels import Outcome
from services.notifier.claims import Claimed, Claims, claim, give_up
from services.notifier.handoff import HandOff, log_failure, put_back_now
from services.notifier.pace import Brake, Pace
from services.notifier.prepare import Preparer, Ready
from services.notifier.store import put_back
from services.runtime import clock, log
from services.runtime.crashpoints import reach
from services.runtime.database import Pool, transaction

BATCH = 200
CLAIM = 500
POLL_SECONDS = 0.25  # what backoff and other replicas leave; new work arrives by a nudge
GROUP_SECONDS = 0.01
UNPREPARED_WAIT = timedelta(seconds=60)
ALIVE_SECONDS = 120.0
MARGIN_SECONDS = 15.0  # of a claim's lease, kept for redeeming and committing


class Lane:
    """One channel's queue, its free connections, its pace and its brake."""

    def __init__(self, hand_off: HandOff, slots: int, rate: float, taken: asyncio.Event) -> None:
        self.capacity = max(1, min(2 * slots, int(2 * rate)))
        self.waiting: deque[Ready] = deque()
        self._hand_off = hand_off
        self._slots = slots
        self._free = slots
        self._pace = Pace(rate, asyncio.get_running_loop().time())
        self._brake = Brake()
        self._changed = asyncio.Event()
        self._batches: set[asyncio.Task[None]] = set()
        self._taken = taken  # of all lanes: there is room again

    @property
    def crowded(self) -> bool:
        """More than half full."""
        return len(self.waiting) * 2 > self.capacity

    def add(self, ready: Sequence[Ready]) -> None:
        self.waiting.extend(ready)
        self._changed.set()

    async def run(self) -> NoReturn:
        """Hand over batches for ever."""
        loop = asyncio.get_running_loop()
        while True:
            if not self.waiting or not self._free or self._unanswered:
                self._changed.clear()
                await self._changed.wait()
                continue
            if self._free < len(self.waiting) and self._free < BATCH:
                await asyncio.sleep(GROUP_SECONDS)  # a redeem of one costs as much as one of many
            now = loop.time()
            if pause := max(self._brake.wait(now), self._pace.wait(now)):
                await asyncio.sleep(pause)
                continue
            self._start(now)

    async def stop(self) -> None:
        """Batches that are being redeemed, then flights, come to their end."""
        while self._batches:
            await asyncio.wait(self._batches)
        await self._hand_off.landed()

    @property
    def _unanswered(self) -> bool:
        """The provider fails, and what is under way will tell more of it."""
        return self._brake.failing and self._free < self._slots

    def _start(self, now: float) -> None:
        wanted = self._brake.limit(min(len(self.waiting), self._free, BATCH))
        taken = [self.waiting.popleft() for _ in range(self._pace.take(wanted, now))]
        # A claim that is about to expire belongs to whoever takes it over.
        batch = [ready for ready in taken if now < ready.claimed.leased_until - MARGIN_SECONDS]
        self._taken.set()
        if batch:
            self._free -= len(batch)
            task = asyncio.create_task(self._hand_off.carry(batch, self._release))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)
            task.add_done_callback(log_failure)

    def _release(self, outcome: Outcome | None) -> None:
        self._free += 1
        self._changed.set()
        self._brake.hear(outcome, asyncio.get_running_loop().time())


class Dispatcher:
    """Claims for all lanes; one channel's full lane holds up no other."""

    def __init__(
        self,
        db: Pool,
        owner: UUID,
        preparer: Preparer,
        lanes: Mapping[ChannelName, Lane],
        providers: Mapping[ChannelName, str],
        wake: asyncio.Event,
    ) -> None:
        self._db = db
        self._owner = owner
        self._preparer = preparer
        self._lanes = lanes
        self._providers = providers
        self._wake = wake
        self._alive_at = time.monotonic()

    def dead(self) -> str | None:
        """Liveness: the loop turns."""
        still = time.monotonic() - self._alive_at
        return f"claiming has stood for {still:.0f} s" if still > ALIVE_SECONDS else None

    def nudge(self) -> None:
        """There may be new intents."""
        self._wake.set()

    async def run(self) -> None:
        """Claim for ever; on cancellation what is under way ends in order."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes.values():
                tasks.create_task(lane.run())
            tasks.create_task(self._claim())

    async def stop(self) -> None:
        """What was redeemed leaves, what left comes to its end; the rest stays an intent."""
        waiting = [ready.claimed.held for lane in self._lanes.values() for ready in lane.waiting]
        try:
            await put_back_now(self._db, waiting, timedelta())
        except Exception as error:
            log.get().warning("put_back_failed", error=type(error).__name__, count=len(waiting))
        for lane in self._lanes.values():
            await lane.stop()

    async def _claim(self) -> NoReturn:
        while True:
            self._alive_at = time.monotonic()
            self._wake.clear()
            room = {name: lane.capacity - len(lane.waiting) for name, lane in self._lanes.items()}
            found = Claims([], 0, frozenset())
            try:
                found = await claim(self._db, self._owner, self._providers, CLAIM, room)
                if found.claimed:
                    reach("notifier.intent_committed")
                    await self._sort(found.claimed)
            except Exception as error:
                log.get().warning("claim_failed", error=type(error).__name__)
                await asyncio.sleep(POLL_SECONDS)
            crowded = found.crowded | {one.channel for one in found.claimed}
            if found.seen < CLAIM or any(self._lanes[name].crowded for name in crowded):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wait(crowded)

    async def _wait(self, crowded: Collection[ChannelName]) -> None:
        """Until there may be more to claim; a claim of a few costs nearly as much as of many."""
        await self._wake.wait()
        while any(self._lanes[name].crowded for name in crowded):
            self._wake.clear()
            await self._wake.wait()

    async def _sort(self, claimed: Sequence[Claimed]) -> None:
        """To their lanes; what can't be prepared goes back."""
        unprepared = []
        for name, lane in self._lanes.items():
            ready = []
            for one in claimed:
                if one.channel is not name:
                    continue
                try:
                    ready.append(self._preparer.prepare(one))
                except Exception as error:
                    log.get().error(
                        "message_unprepared",
                        error=type(error).__name__,
                        attempt_id=str(one.held.attempt_id),
                    )
                    unprepared.append(one)
            lane.add(ready)
        if unprepared:
            await self._hold(unprepared)

    async def _hold(self, unprepared: Sequence[Claimed]) -> None:
        """A person must mend a template or a key; what can't wait any longer fails."""
        async with transaction(self._db) as connection:
            now = await clock.gate_now(connection)
            late = [c.held for c in unprepared if c.allowed.valid_until <= now]
            await give_up(connection, late, "unprepared")
            await put_back(connection, [c.held for c in unprepared], UNPREPARED_WAIT)
