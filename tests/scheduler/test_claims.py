"""Many reminders, many schedulers: each is claimed once, in order, and none is left."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID

from services.events.reminders import ReminderCancelled, ReminderDue
from services.runtime.database import Pool, transaction
from services.scheduler.emit import BATCH, HEAD, emit_due
from services.scheduler.intake import Context
from tests.database import Database
from tests.scheduler.builders import (
    NOW,
    borrower,
    days,
    emit,
    installment,
    loan,
    payment,
    published,
    record,
    reminders,
    stand_at,
)
from tests.scheduler.emitted import FIRST_HOUR, the_ledger


async def test_several_reminders_of_one_instant_leave_by_priority(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    other = installment(installment_number=2, due_date=FIRST_HOUR.date() - days(30))
    await record(context, db, borrower(), loan(), installment(), other)
    await stand_at(database, FIRST_HOUR)
    await emit(db)
    assert [event.step for event in await published(db, ReminderDue)] == ["T+30", "T-7"]


async def test_replicas_claim_each_reminder_once_and_leave_none(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    many = [installment(installment_number=n) for n in range(1, 121)]
    await record(context, db, borrower(), loan(), *many)
    await stand_at(database, FIRST_HOUR)

    async def replica() -> int:
        taken = 0
        while True:
            async with transaction(db) as connection:
                claimed, _ = await emit_due(connection, HEAD, limit=7)
            if not claimed:
                return taken
            taken += claimed

    taken = await asyncio.gather(*(replica() for _ in range(6)))
    ids: list[UUID] = [event.reminder_id for event in await published(db, ReminderDue)]
    assert sum(taken) == len(ids) == len(set(ids)) == 120


async def test_a_claim_that_is_rolled_back_leaves_everything_as_it_was(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await published(db)
    await stand_at(database, FIRST_HOUR)
    try:
        async with transaction(db) as connection:
            assert (await emit_due(connection))[0] == 1
            raise RuntimeError
    except RuntimeError:
        pass
    assert await published(db) == []
    assert {row["status"] for row in await reminders(db)} == {"planned"}
    assert await emit(db) == 1


async def test_a_payment_that_meets_a_claim_cancels_what_the_claim_emitted(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await stand_at(database, FIRST_HOUR)
    await published(db)
    async with transaction(db) as connection:
        assert (await emit_due(connection))[0] == 1
        paying = asyncio.create_task(record(context, db, payment()))
        await asyncio.sleep(0.2)
        assert not paying.done()
    await paying
    told = await published(db)
    assert [event.reason for event in told if isinstance(event, ReminderCancelled)] == ["paid"]
    assert (await the_ledger(db)).cancelled == 1


async def test_a_deep_backlog_is_claimed_by_a_moving_cursor(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    many = [installment(installment_number=n) for n in range(1, BATCH // 5 + 2)]
    await record(context, db, borrower(), loan(), *many)
    await stand_at(database, datetime(2026, 7, 15, 14, tzinfo=UTC))
    async with transaction(db) as connection:
        taken, cursor = [], HEAD
        while not taken or taken[-1] == BATCH:
            claimed, last = await emit_due(connection, cursor)
            taken.append(claimed)
            assert last is not None
            assert last >= cursor
            cursor = last
    assert taken == [BATCH, BATCH, 10]
