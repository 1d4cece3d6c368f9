"""Claiming due reminders, on a real database."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.events.deliveries import ContactPointChanged
from services.events.loans import CandidateZone, FeedWatermark, SourceWatermark
from services.events.reminders import (
    ReminderDue,
)
from services.events.words import Basis, Channel, Outcome, PointKind
from services.runtime.database import Connection, Pool, transaction
from services.runtime.metrics import REGISTRY
from services.runtime.outbox import Outbox
from services.scheduler.emit import Emitter, emit_due
from services.scheduler.handlers import on_loan_events, on_reminder_suppressed
from services.scheduler.intake import Context
from tests.database import Database, Tearing
from tests.scheduler.builders import (
    NOW,
    TENANT,
    borrower,
    emit,
    envelope,
    handle,
    installment,
    loan,
    published,
    record,
    reminders,
    stand_at,
)
from tests.scheduler.emitted import FIRST_HOUR, suppressed, the_ledger


def settled(outcome: Outcome) -> float:
    found = REGISTRY.get_sample_value("dunwell_reminders_settled_total", {"outcome": outcome})
    return found or 0.0


def emitted() -> float:
    return REGISTRY.get_sample_value("dunwell_reminders_emitted_total") or 0.0


async def test_nothing_is_claimed_before_its_hour_and_all_at_it(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await stand_at(database, FIRST_HOUR - timedelta(seconds=1))
    assert await emit(db) == 0
    await stand_at(database, FIRST_HOUR)
    assert await emit(db) == 1
    assert await emit(db) == 0


async def test_a_database_that_breaks_off_at_whatever_moment_is_waited_for(
    context: Context, db: Pool, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.scheduler.emit.BACKOFF_SECONDS", (0.01,))
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await stand_at(database, FIRST_HOUR)
    before = emitted()
    torn: Any = Tearing(db)
    claiming = asyncio.create_task(Emitter(torn, Outbox(db, torn)).run())
    try:
        while emitted() == before:
            assert not claiming.done(), claiming.exception()
            await asyncio.sleep(0.01)
    finally:
        claiming.cancel()
        await asyncio.gather(claiming, return_exceptions=True)
    assert torn.errors == []


async def test_a_due_reminder_names_the_language_as_templates_do(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(locale="pt_BR"), loan(), installment())
    await stand_at(database, FIRST_HOUR)
    await emit(db)
    [due] = await published(db, ReminderDue)
    assert due.locale == "pt-BR"


async def test_a_step_whose_validity_passed_unclaimed_is_never_emitted(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await stand_at(database, datetime(2026, 6, 12, 15, tzinfo=UTC))  # T-3 is due, T-7 over
    assert await emit(db) == 2
    assert [event.step for event in await published(db, ReminderDue)] == ["T-3"]
    stale = (await reminders(db))[0]
    assert (stale["status"], stale["reason"], stale["emission"]) == ("suppressed", "stale_step", 0)
    book = await the_ledger(db)
    assert (book.emitted, book.open, book.withdrawn) == (1, 1, {"stale_step": 1})
    assert book.balanced


async def test_contact_points_move_the_hours_only_of_borrowers_without_zones(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    nowhere = borrower(borrower_ref="B-2", country="IN", zones=())
    theirs = loan(loan_id="L-2", borrower_ref="B-2")
    owed = installment(loan_id="L-2", borrower_ref="B-2")
    await record(context, db, borrower(), loan(), installment(), nowhere, theirs, owed)
    before = {row["reminder_id"]: row["due_at"] for row in await reminders(db, loan_id="L-1")}
    assert {r["zone"] for r in await reminders(db, loan_id="L-2")} == {"Asia/Kolkata"}
    for owner in {row["borrower_id"] for row in await reminders(db)}:
        point = ContactPointChanged(
            tenant=TENANT,
            borrower_id=owner,
            contact_point_id="cp_1",
            version=1,
            kind=PointKind.MOBILE,
            channels=(Channel.SMS,),
            country="GB",
            zones=(CandidateZone(zone="Europe/London", basis=Basis.PHONE_PREFIX),),
            usable=True,
        )
        await handle(context, db, point)
    assert {r["zone"] for r in await reminders(db, loan_id="L-2")} == {"Europe/London"}
    after = {row["reminder_id"]: row["due_at"] for row in await reminders(db, loan_id="L-1")}
    assert before == after


async def test_a_watermark_goes_to_every_partition_and_is_as_old_as_the_slowest(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    for partition, minutes in ((0, 5), (1, 3), (1, 2), (0, 9)):
        mark = SourceWatermark(
            tenant=TENANT, source="core", as_of=NOW - timedelta(minutes=10 - minutes)
        )
        async with transaction(db) as connection:
            await on_loan_events(context, connection, [envelope(mark, partition=partition)])
    rows = await db.fetch("SELECT partition FROM outbox ORDER BY id")
    told = await published(db, FeedWatermark)
    assert [row["partition"] for row in rows] == list(range(12))
    # Partition 0 was first alone; 1 is behind it, and nothing goes back.
    assert {event.as_of for event in told} == {NOW - timedelta(minutes=5)}


async def test_what_is_rolled_back_and_done_again_is_counted_once(
    context: Context, db: Pool, database: Database
) -> None:
    async def emitting(connection: Connection) -> None:
        await emit_due(connection)

    async def ending(connection: Connection) -> None:
        batch = [envelope(suppressed(due))]
        assert await on_reminder_suppressed(context, connection, batch) == ()

    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await stand_at(database, FIRST_HOUR)
    before = emitted(), settled(Outcome.SUPPRESSED)
    await twice(db, emitting)
    assert emitted() == before[0] + 1
    [due] = await published(db, ReminderDue)
    await twice(db, ending)
    assert settled(Outcome.SUPPRESSED) == before[1] + 1


async def twice(db: Pool, do: Callable[[Connection], Awaitable[None]]) -> None:
    """As after a failure: rolled back, then done again."""
    with contextlib.suppress(ZeroDivisionError):
        async with transaction(db) as connection:
            await do(connection)
            raise ZeroDivisionError
    async with transaction(db) as connection:
        await do(connection)
