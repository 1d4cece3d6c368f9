"""What is owed: payments, reversals, closed loans, and the reminders that follow."""

from datetime import UTC, datetime

from services.events.loans import DebtChanged
from services.events.reminders import ReminderCancelled
from services.runtime.database import Pool
from services.scheduler.intake import Context
from tests.database import Database
from tests.scheduler.builders import (
    NOW,
    closed,
    emit,
    installment,
    loan,
    payment,
    published,
    record,
    reminders,
    reversal,
    stand_at,
)
from tests.scheduler.test_facts import WHOLE_BOOK


async def test_a_debt_names_the_source_of_its_loan_and_a_change_of_it_is_told(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    [debt] = await published(db, DebtChanged)
    assert debt.source == "events"
    await record(context, db, loan(version=2, source="core"))
    [debt] = await published(db, DebtChanged)
    assert (debt.source, debt.version) == ("core", 2)


async def test_new_terms_of_a_loan_are_told_with_each_of_its_debts(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK, installment(installment_number=2))
    await published(db)
    await record(context, db, loan(version=2, time_barred=True, in_procedures=True))
    await record(context, db, loan(version=3, time_barred=True, missed_meetings=2))
    told = [e for e in await published(db) if isinstance(e, DebtChanged)]
    assert [(e.time_barred, e.in_procedures, e.missed_meetings) for e in told] == [
        (True, True, 0), (True, True, 0), (True, False, 2), (True, False, 2),
    ]  # fmt: skip


async def test_a_payment_in_part_tells_the_debt_and_cancels_nothing(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    await published(db)
    await record(context, db, payment(amount_minor=2_500))
    [debt] = await published(db)
    assert (debt.outstanding_minor, debt.version) == (7_500, 2)
    assert len(await reminders(db, status="planned")) == 10


async def test_paying_it_all_cancels_what_is_open_and_tells_only_of_what_was_emitted(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, *WHOLE_BOOK)
    await stand_at(database, datetime(2026, 6, 8, 15, tzinfo=UTC))
    assert await emit(db) == 1
    await published(db)
    await record(context, db, payment())
    told = await published(db)
    assert [type(event) for event in told] == [DebtChanged, ReminderCancelled]
    assert told[0].outstanding_minor == 0
    assert (told[1].reason, told[1].version) == ("paid", 1)
    assert {row["reason"] for row in await reminders(db, status="cancelled")} == {"paid"}
    assert len(await reminders(db, status="cancelled")) == 10


async def test_a_bounced_payment_arms_only_the_steps_still_ahead_in_a_new_cycle(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, *WHOLE_BOOK)
    on_the_day = datetime(2026, 6, 15, 20, tzinfo=UTC)
    await record(context, db, payment(), now=on_the_day)
    await published(db)
    await record(context, db, reversal(), now=on_the_day)
    [debt] = await published(db)
    assert debt.outstanding_minor == 10_000
    armed = await reminders(db, status="planned")
    # T+0 was at 14:00 UTC that day: it is not repeated.
    assert [row["step"] for row in armed] == ["T+1", "T+3", "T+7", "T+14", "T+21", "T+30"]
    assert {row["cycle"] for row in armed} == {1}


async def test_a_reversal_that_comes_before_its_payment_leaves_the_debt_owed(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    await record(context, db, reversal())
    await record(context, db, payment())
    assert len(await reminders(db, status="planned")) == 10
    assert await db.fetchval("SELECT outstanding_minor FROM installments") == 10_000


async def test_a_closed_loan_owes_nothing_and_opens_only_by_a_higher_version(
    context: Context, db: Pool
) -> None:
    await record(context, db, *WHOLE_BOOK)
    await record(context, db, closed(version=2))
    assert {r["reason"] for r in await reminders(db)} == {"loan_closed"}
    await record(context, db, loan(version=2))
    assert await reminders(db, status="planned") == []
    await record(context, db, loan(version=3))
    assert {r["cycle"] for r in await reminders(db, status="planned")} == {1}


async def test_a_close_that_comes_first_keeps_the_loan_silent(context: Context, db: Pool) -> None:
    await record(context, db, closed(version=2))
    await record(context, db, *WHOLE_BOOK)
    assert await reminders(db) == []
    assert [d.outstanding_minor for d in await published(db, DebtChanged)] == [0]
