"""A cadence's file was changed, or is back: bring the reminders nobody has heard of in line."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from typing import NoReturn

import msgspec

from services.runtime import clock, log
from services.runtime.database import FAILED, Connection, Pool, connected, transaction
from services.scheduler import store
from services.scheduler.cadence import Cadence
from services.scheduler.intake import Context
from services.scheduler.keys import BorrowerKey, LoanKey
from services.scheduler.refresh import refresh
from services.scheduler.store import SQL

BATCH = 200
RETRY_SECONDS = 5.0
LOOK_SECONDS = 60.0

Kept = Mapping[str, bytes]
Choice = Callable[[Mapping[str, Cadence], Kept], dict[str, Cadence]]


def digest(cadence: Cadence) -> bytes:
    """The same steps, the same digest; comments and spaces of the file don't count."""
    return hashlib.blake2b(msgspec.json.encode(cadence), digest_size=16).digest()


async def keep_in_line(context: Context, db: Pool) -> NoReturn:
    """At the start all that changed; later what was forgotten: while replicas change over, one that
    lacks a file may still take facts after one that has it has walked."""
    await bring_in_line(context, db)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        await bring_in_line(context, db, forgotten)


def changed(cadences: Mapping[str, Cadence], kept: Kept) -> dict[str, Cadence]:
    """The cadences that are not what they were."""
    return {name: c for name, c in cadences.items() if kept.get(name) != digest(c)}


def forgotten(cadences: Mapping[str, Cadence], kept: Kept) -> dict[str, Cadence]:
    """Only those: two replicas of different files would take turns undoing each other's plans."""
    return {name: c for name, c in cadences.items() if not kept.get(name)}


async def bring_in_line(context: Context, db: Pool, choose: Choice = changed) -> None:
    """Once.  Replicas may do it at the same time; broken off, it begins again."""
    while True:
        try:
            async with connected(db) as connection:
                kept = await cadence_digests(connection)
            for name, cadence in choose(context.cadences, kept).items():
                async with connected(db) as connection:
                    await begin_cadence(connection, name)
                await _walk(context, db, name)
                async with connected(db) as connection:
                    await keep_cadence_digest(connection, name, digest(cadence))
        except FAILED as error:
            log.get().warning("recadence_failed", error=type(error).__name__)
            await asyncio.sleep(RETRY_SECONDS)
        else:
            return


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


async def begin_cadence(connection: Connection, name: str) -> None:
    """From here on whoever meets the cadence without its file is noticed."""
    await connection.execute(SQL["begin_cadence"], name)


async def keep_cadence_digest(connection: Connection, name: str, digest: bytes) -> None:
    """Every reminder of the cadence is in line with it now, unless it was forgotten meanwhile."""
    await connection.execute(SQL["keep_cadence_digest"], name, digest)
