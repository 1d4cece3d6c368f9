"""Business time: what due dates, windows and caps are judged by.

`policy.gate_now()` is `clock_timestamp()`, read after any lock wait, except in a database made by
the demo or a test, where `install_stepped` replaced it by a clock that stands until it is stepped.
Leases, timeouts and backoff use real time and never ask here.
"""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import datetime

import asyncpg

from services.runtime.database import ACQUIRE_SECONDS, FAILED, Connection

CHANNEL = "dunwell_clock"
RELISTEN_SECONDS = 1.0

_INSTALL = """
CREATE TABLE IF NOT EXISTS policy.stepped_clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    instant timestamptz NOT NULL
);
CREATE OR REPLACE FUNCTION policy.gate_now() RETURNS timestamptz
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = policy
    AS 'SELECT instant FROM policy.stepped_clock';
CREATE OR REPLACE FUNCTION policy.clock_is_stepped() RETURNS boolean
    LANGUAGE sql STABLE AS 'SELECT true';
"""


async def gate_now(connection: Connection) -> datetime:
    """Business time now, aware UTC."""
    now: datetime = await connection.fetchval("SELECT policy.gate_now()")
    return now


async def is_stepped(connection: Connection) -> bool:
    """Whether this database is one of a demo or a test, whose business clock stands still."""
    stepped: bool = await connection.fetchval("SELECT policy.clock_is_stepped()")
    return stepped


async def install_stepped(owner: Connection, instant: datetime) -> None:
    """Make business time stand at `instant`: for a demo or a test, by the database's owner."""
    await owner.execute(_INSTALL)
    await step_to(owner, instant)


async def step_to(owner: Connection, instant: datetime) -> None:
    """Move business time forward and wake whoever waits for it."""
    await owner.execute(
        "INSERT INTO policy.stepped_clock (instant) VALUES ($1)"
        " ON CONFLICT (one) DO UPDATE SET instant = greatest(stepped_clock.instant, $1)",
        instant,
    )
    await owner.execute(f"NOTIFY {CHANNEL}")


async def listen(database_url: str, on_step: Callable[[], None]) -> None:
    """Call `on_step` whenever business time is stepped, for ever; a lost connection is made anew.

    Who listens polls as well: a step that came while nobody heard costs a moment and no more.
    """
    while True:
        with contextlib.suppress(*FAILED):
            await _listen_until_lost(database_url, on_step)
        await asyncio.sleep(RELISTEN_SECONDS)


async def _listen_until_lost(database_url: str, on_step: Callable[[], None]) -> None:
    lost = asyncio.Event()
    connection = await asyncpg.connect(database_url, timeout=ACQUIRE_SECONDS)
    try:
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(CHANNEL, lambda *_: on_step())
        on_step()  # for what came before
        await lost.wait()
    finally:
        await connection.close(timeout=2)
