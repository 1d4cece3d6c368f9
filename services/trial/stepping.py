"""Moves business time: jump to the next due instant, then wait until everything has drained."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

import aiohttp
import asyncpg

from services.runtime import clock
from services.runtime.database import Connection
from services.runtime.migrate import SERVICES

# Drained is what holds twice in a row: a callback may be between the sandbox and the database.
_LOOKS = 2
_PAUSE_SECONDS = 0.015
STUCK_SECONDS = 60.0

# A group's lag in the PostgreSQL stream: what is appended and not in the group's own positions.
_LAG = """
(SELECT coalesce(sum(p.next_offset - coalesce(s.next_offset, 0)), 0)
   FROM stream.partitions p
   JOIN (SELECT DISTINCT topic FROM {service}.stream_positions) t USING (topic)
   LEFT JOIN {service}.stream_positions s USING (topic, partition)) AS {service}_lag
"""

# One statement, so one snapshot: of several, work that moves on while one looks is seen by none.
_OPEN_WORK = f"""
SELECT (SELECT count(*) FROM scheduler.outbox)
     + (SELECT count(*) FROM policy.outbox)
     + (SELECT count(*) FROM notifier.outbox)                                  AS unpublished,
       (SELECT count(*) FROM scheduler.reminders
         WHERE status = 'planned' AND due_at <= policy.gate_now())             AS unclaimed,
       (SELECT count(*) FROM notifier.attempts
         WHERE state IN ('intent', 'in_flight'))                               AS in_flight,
       {", ".join(_LAG.format(service=service) for service in SERVICES)}
"""


class Stuck(Exception):
    """Work stayed open; the text says how much and where."""


Drained = Callable[[], Awaitable[dict[str, int]]]


class Stepper:
    """Business time of one installation on the PostgreSQL stream."""

    def __init__(self, owner: Connection, sandbox_url: str, session: aiohttp.ClientSession) -> None:
        self._owner = owner
        self._sandbox = sandbox_url
        self._session = session
        self.steps = 0

    async def next_due(self) -> datetime | None:
        """The next instant at which a planned reminder falls due."""
        due: datetime | None = await self._owner.fetchval(
            "SELECT min(due_at) FROM scheduler.reminders WHERE status = 'planned'"
        )
        return due

    async def now(self) -> datetime:
        """Business time."""
        return await clock.gate_now(self._owner)

    async def step_to(self, instant: datetime) -> None:
        """Jump there and wait until nothing is left to do at that instant."""
        await clock.step_to(self._owner, instant)
        self.steps += 1
        await self.drain()

    async def drain(self) -> None:
        """Wait until nothing is open, twice in a row; Stuck after a minute."""
        quiet, began = 0, time.monotonic()
        while quiet < _LOOKS:
            work = await self.open_work()
            quiet = quiet + 1 if not any(work.values()) else 0
            if time.monotonic() - began > STUCK_SECONDS:
                left = ", ".join(f"{name} {count}" for name, count in work.items() if count)
                raise Stuck(f"still open after {STUCK_SECONDS:.0f} s: {left}")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def open_work(self) -> dict[str, int]:
        """What still moves, by name: outboxes, due reminders, attempts, lag, callbacks."""
        row = await self._owner.fetchrow(_OPEN_WORK)
        work = {name: int(count) for name, count in dict(row or {}).items()}
        async with self._session.get(f"{self._sandbox}/healthz") as answer:
            health = await answer.json()
        work["callbacks"] = int(health["callbacks_pending"]) + int(health["open_requests"])
        return work


async def connect(admin_url: str, begin: datetime) -> Connection:
    """A connection of the database's owner, with business time made to stand at `begin`."""
    owner: Connection = await asyncpg.connect(admin_url)
    await clock.install_stepped(owner, begin)
    return owner
