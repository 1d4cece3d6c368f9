"""A cadence's file was changed: bring the reminders that nobody has heard of in line with it."""

import asyncio
import hashlib
from collections.abc import Mapping

import asyncpg
import msgspec

from services.runtime import clock, log
from services.runtime.database import Connection, Pool, connected, transaction
from services.scheduler import store
from services.scheduler.cadence import Cadence
from services.scheduler.intake import Context
from services.scheduler.keys import BorrowerKey, LoanKey
from services.scheduler.refresh import refresh
from services.scheduler.store import SQL

BATCH = 200
RETRY_SECONDS = 5.0


def digest(cadence: Cadence) -> bytes:
    """The same steps, the same digest; comments and spaces of the file don't count."""
    return hashlib.blake2b(msgspec.json.encode(cadence), digest_size=16).digest()


async def bring_in_line(context: Context, db: Pool) -> None:
    """Once after the start.  Replicas may do it at the same time; broken off, it begins again."""
    while True:
        try:
            async with connected(db) as connection:
                kept = await cadence_digests(connection)
            for name, cadence in changed(context.cadences, kept).items():
                await _walk(context, db, name)
                async with connected(db) as connection:
                    await keep_cadence_digest(connection, name, digest(cadence))
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            log.get().warning("recadence_failed", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


def changed(cadences: Mapping[str, Cadence], kept: Mapping[str, bytes]) -> dict[str, Cadence]:
    """The cadences that are not what they were."""
    return {name: c for name, c in cadences.items() if kept.get(name) != digest(c)}


async def _walk(context: Context, db: Pool, name: str) -> None:
    after, count = LoanKey("", ""), 0
    while True:
        async with transaction(db) as connection:
            loans = await loans_of_cadence(connection, name, after, BATCH)
            if not loans:
                break
            await store.lock_borrowers(connection, loans.values())
            keys = await store.installments_of_loans(connection, loans)
            await refresh(connection, keys, context.cadences, await clock.gate_now(connection))
        after = list(loans)[-1]
        count += len(loans)
    if count:
        log.get().info("recadenced", name=name, loan_count=count)


async def loans_of_cadence(
    connection: Connection, cadence: str, after: LoanKey, limit: int
) -> dict[LoanKey, BorrowerKey]:
    """The next loans behind `after`, in the order of their keys, each with its borrower."""
    rows = await connection.fetch(SQL["loans_of_cadence"], cadence, *after, limit)
    return {
        LoanKey(row["tenant"], row["loan_id"]): BorrowerKey(row["tenant"], row["borrower_id"])
        for row in rows
    }


async def cadence_digests(connection: Connection) -> dict[str, bytes]:
    """Each cadence as it was when reminders were last brought in line with it."""
    rows = await connection.fetch(SQL["cadence_digests"])
    return {row["name"]: row["digest"] for row in rows}


async def keep_cadence_digest(connection: Connection, name: str, digest: bytes) -> None:
    """Every reminder of the cadence is in line with it now."""
    await connection.execute(SQL["keep_cadence_digest"], name, digest)
