"""What policy does without being asked: the slow sweep of the held, partitions, gauges."""

import asyncio
import contextlib
from pathlib import Path

import asyncpg

from services.policy import held, known
from services.policy.clearances import filed
from services.policy.due import decide_due
from services.policy.rulesets import RuleSets
from services.runtime import log, metrics, queries
from services.runtime.database import AT_ONCE, Connection, Pool, transaction
from services.runtime.outbox import Outbox, put

SQL = queries.load(Path(__file__).with_name("queries_log.sql"))

SWEEP_SECONDS = 0.5  # an index look-up each; a step of the business clock wakes it at once
GAUGE_SECONDS = 15.0


async def sweep_held(db: Pool, rule_sets: RuleSets, outbox: Outbox, stepped: asyncio.Event) -> None:
    """Ask again what is held, and end what ran out, for ever."""
    while True:
        try:
            while await _sweep_once(db, rule_sets, outbox):
                pass
        except AT_ONCE:
            continue
        except Exception as error:
            log.get().warning("held_sweep_failed", error=type(error).__name__)
        stepped.clear()
        # Not wait_for: Python 3.11's swallows a cancellation that comes with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_SECONDS):
                await stepped.wait()


async def _sweep_once(db: Pool, rule_sets: RuleSets, outbox: Outbox) -> bool:
    """One batch; whether there may be more."""
    async with transaction(db) as connection:
        waiting = await held.to_retry(connection)
        if not waiting:
            return False
        await put(connection, await decide_due(connection, rule_sets, waiting))
    outbox.nudge()
    return len(waiting) == held.SWEEP_BATCH


async def measure(db: Pool) -> None:
    """Keep partitions ahead of business time, and count what a person should see."""
    while True:
        try:
            async with transaction(db) as connection:
                await make_partitions(connection)
                await filed.expire(connection)
            async with transaction(db) as connection:
                await count_held(connection)
                open_ = await connection.fetchval(known.LEDGER_SQL["open_bookings"])
                metrics.OPEN_BOOKINGS.set(open_)
                if open_:
                    log.get().error("bookings_without_outcome", count=open_)
        except Exception as error:
            log.get().warning("measuring_failed", error=type(error).__name__)
        await asyncio.sleep(GAUGE_SECONDS)


async def count_held(connection: Connection) -> None:
    """How many wait, by what is to be mended."""
    rows = await connection.fetch(SQL["held_counts"])
    counts = dict.fromkeys(held.CODES, 0) | {row["code"]: row["count"] for row in rows}
    for code, count in counts.items():
        metrics.HELD.labels(code).set(count)


async def make_partitions(connection: Connection) -> None:
    """A partition of the decision log for this month and the next two.

    Rows that came to the default partition meanwhile keep their month there: it is only slower.
    Another replica may make the same one at once; IF NOT EXISTS looks before it waits for it.
    """
    for row in await connection.fetch(SQL["months"]):
        statement = (
            f"CREATE TABLE IF NOT EXISTS decisions_{row['name']} PARTITION OF decisions"
            f" FOR VALUES FROM ('{row['month']:%Y-%m-%d}+00') TO ('{row['next']:%Y-%m-%d}+00')"
        )
        with contextlib.suppress(asyncpg.CheckViolationError, asyncpg.DuplicateTableError):
            async with connection.transaction():
                await connection.execute(statement)
