"""Claiming due reminders and settling them, on a real database."""

import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from services.events.deliveries import ContactPointChanged, DeliveryReceipt
from services.events.loans import CandidateZone, FeedWatermark, SourceWatermark
from services.events.reminders import (
    ReminderCancelled,
    ReminderDeferred,
    ReminderDue,
    ReminderSuppressed,
)
from services.events.words import AttemptState, Basis, Channel, Outcome, PointKind
from services.runtime.database import Connection, Pool, transaction
from services.runtime.metrics import REGISTRY
from services.scheduler.emit import emit_due
from services.scheduler.handlers import on_loan_events, on_reminder_suppressed
from services.scheduler.intake import Context
from services.scheduler.ledger import Ledger, Tally, balance
from services.scheduler.store_reminders import ledger
from tests.database import Database
from tests.scheduler.builders import (
    NOW,
    TENANT,
    borrower,
    emit,
    envelope,
    handle,
    installment,
    loan,
    payment,
    published,
    record,
    reminders,
    stand_at,
    status_of,
)

FIRST_HOUR = datetime(2026, 6, 8, 14, tzinfo=UTC)  # T-7, ten in New York


async def first_due(context: Context, db: Pool, database: Database) -> ReminderDue:
    """One loan whose T-7 has just been emitted."""
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await stand_at(database, FIRST_HOUR)
    assert await emit(db) == 1
    [due] = await published(db, ReminderDue)
    assert isinstance(due, ReminderDue)
    return due


def deferred(due: ReminderDue, until: datetime, emission: int | None = None) -> ReminderDeferred:
    return ReminderDeferred(
        tenant=due.tenant,
        reminder_id=due.reminder_id,
        emission=due.emission if emission is None else emission,
        decision_id=uuid4(),
        borrower_id=due.borrower_id,
        until=until,
        code="outside_contact_window",
        rule="hours",
        decided_at=FIRST_HOUR,
    )


def suppressed(due: ReminderDue, emission: int = 1) -> ReminderSuppressed:
    return ReminderSuppressed(
        tenant=due.tenant,
        reminder_id=due.reminder_id,
        emission=emission,
        decision_id=uuid4(),
        borrower_id=due.borrower_id,
        code="opt_out",
        rule="stops",
        decided_at=FIRST_HOUR,
    )


def receipt(
    due: ReminderDue,
    state: AttemptState,
    outcome: Outcome | None,
    reason: str | None = None,
    emission: int = 1,
) -> DeliveryReceipt:
    return DeliveryReceipt(
        tenant=due.tenant,
        attempt_id=uuid4(),
        reminder_id=due.reminder_id,
        emission=emission,
        borrower_id=due.borrower_id,
        contact_point_id="cp_1",
        channel=Channel.SMS,
        provider="twilio",
        state=state,
        at=FIRST_HOUR,
        outcome=outcome,
        reason=reason,
    )


def settled(outcome: Outcome) -> float:
    found = REGISTRY.get_sample_value("dunwell_reminders_settled_total", {"outcome": outcome})
    return found or 0.0


def emitted() -> float:
    return REGISTRY.get_sample_value("dunwell_reminders_emitted_total") or 0.0


async def the_ledger(db: Pool) -> Ledger:
    async with db.acquire() as connection:
        rows, emitted = await ledger(connection, TENANT)
    return balance((Tally(*row) for row in rows), emitted)


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


async def test_a_due_reminder_names_the_language_as_templates_do(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(locale="pt_BR"), loan(), installment())
    await stand_at(database, FIRST_HOUR)
    await emit(db)
    [due] = await published(db, ReminderDue)
    assert due.locale == "pt-BR"


async def test_a_deferred_reminder_is_emitted_again_at_its_instant_with_the_next_emission(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    until = FIRST_HOUR + timedelta(hours=20)
    await handle(context, db, deferred(due, until), deferred(due, until))
    assert await status_of(db, due.reminder_id) == ("planned", None, 1)
    await stand_at(database, until - timedelta(seconds=1))
    assert await emit(db) == 0
    await stand_at(database, until)
    assert await emit(db) == 1
    [again] = await published(db)
    assert (again.reminder_id, again.emission, again.due_at) == (due.reminder_id, 2, until)
    # The first emission's answer, once more and late: it is about what is no longer asked.
    await handle(context, db, deferred(due, until + timedelta(hours=1)))
    assert await status_of(db, due.reminder_id) == ("due", None, 2)


async def test_a_deferral_to_where_the_step_is_no_longer_valid_ends_it_as_stale(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    await handle(context, db, deferred(due, due.valid_until))
    assert await status_of(db, due.reminder_id) == ("suppressed", "stale_step", 1)


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


async def test_a_suppression_counts_for_the_emission_it_answers(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    await handle(context, db, suppressed(due, emission=2))
    assert await status_of(db, due.reminder_id) == ("due", None, 1)
    await handle(context, db, suppressed(due))
    assert await status_of(db, due.reminder_id) == ("suppressed", "opt_out", 1)
    assert (await the_ledger(db)).suppressed == {"opt_out": 1}


async def test_a_receipt_without_an_outcome_settles_nothing(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    await handle(context, db, receipt(due, AttemptState.REJECTED, None))
    assert await status_of(db, due.reminder_id) == ("due", None, 1)


async def test_what_a_provider_took_is_sent_whatever_was_written_before(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    failed = receipt(due, AttemptState.ABANDONED, Outcome.FAILED, "outcome_unknown")
    await handle(context, db, failed)
    assert await status_of(db, due.reminder_id) == ("failed", "outcome_unknown", 1)
    await handle(context, db, receipt(due, AttemptState.ACCEPTED_LATE, Outcome.SENT))
    assert await status_of(db, due.reminder_id) == ("sent", None, 1)
    for late in (failed, receipt(due, AttemptState.DELIVERED, Outcome.SENT)):
        await handle(context, db, late)
    await handle(context, db, suppressed(due))
    await handle(context, db, deferred(due, FIRST_HOUR + timedelta(hours=1)))
    await record(context, db, payment())
    assert await status_of(db, due.reminder_id) == ("sent", None, 1)
    assert await published(db, ReminderCancelled) == []


async def test_a_failure_ends_the_reminder_though_it_was_emitted_again_since(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    until = FIRST_HOUR + timedelta(hours=1)
    await handle(context, db, deferred(due, until))
    failed = receipt(due, AttemptState.ABANDONED, Outcome.FAILED, "outcome_unknown")
    await stand_at(database, until)
    assert await emit(db) == 1
    await handle(context, db, failed)
    assert await status_of(db, due.reminder_id) == ("failed", "outcome_unknown", 2)
    assert (await the_ledger(db)).balanced


async def test_the_history_tells_every_step_in_order(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    until = FIRST_HOUR + timedelta(hours=1)
    await handle(context, db, deferred(due, until))
    await stand_at(database, until)
    await emit(db)
    await handle(context, db, receipt(due, AttemptState.ACCEPTED, Outcome.SENT, emission=2))
    rows = await db.fetch("SELECT event, emission FROM reminder_history ORDER BY emission, at")
    assert sorted((row["emission"], row["event"]) for row in rows) == [
        (1, "deferred"), (1, "due"), (2, "due"), (2, "sent"),
    ]  # fmt: skip


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
