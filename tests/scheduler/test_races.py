"""Claims, answers, payments and moved dates all at once: nothing is lost, nothing waits on."""

import asyncio
import random
from collections.abc import Iterable
from datetime import timedelta

import msgspec

from services.events.loans import SourceWatermark
from services.events.reminders import ReminderDeferred, ReminderDue
from services.runtime.database import Pool, transaction
from services.scheduler import cadence
from services.scheduler.handlers import on_loan_events
from services.scheduler.intake import Context
from services.scheduler.recadence import (
    begin_cadence,
    bring_in_line,
    digest,
    forgotten,
    keep_cadence_digest,
)
from tests.database import Database
from tests.scheduler.builders import (
    DUE_DATE,
    NOW,
    TENANT,
    borrower,
    days,
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
)
from tests.scheduler.emitted import FIRST_HOUR, deferred, suppressed, the_ledger

PEOPLE = 20


async def test_everything_at_once_keeps_the_book_balanced(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    for n in range(PEOPLE):
        names = {"borrower_ref": f"B-{n}"}
        await record(
            context,
            db,
            borrower(**names),
            loan(**names, loan_id=f"L-{n}"),
            installment(**names, loan_id=f"L-{n}"),
        )
    await published(db)
    chance = random.Random(3)
    over = asyncio.Event()

    async def clockwork() -> None:
        while not over.is_set():
            await emit(db)
            await asyncio.sleep(0.005)

    async def answering() -> None:
        while not over.is_set():
            due = [event for event in await published(db) if isinstance(event, ReminderDue)]
            chance.shuffle(due)
            late: list[ReminderDeferred] = []
            for event in due:
                if chance.random() < 0.5:
                    late.append(deferred(event, event.due_at + timedelta(hours=1)))
                else:
                    await handle(context, db, suppressed(event, event.emission))
            if late:
                await handle(context, db, *late)
            await asyncio.sleep(0.005)

    async def paying() -> None:
        for n in chance.sample(range(PEOPLE), PEOPLE // 2):
            names = {"borrower_ref": f"B-{n}", "loan_id": f"L-{n}"}
            moved = DUE_DATE + days(chance.randint(0, 3))
            await record(
                context,
                db,
                installment(**names, version=2, due_date=moved),
                payment(**names, payment_id=f"P-{n}"),
            )
            await asyncio.sleep(0.02)

    async def stepping() -> None:
        for step in range(30):
            await stand_at(database, FIRST_HOUR + timedelta(hours=6 * step))
            await asyncio.sleep(0.05)
        over.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        for work in (clockwork(), clockwork(), answering(), paying(), stepping()):
            tasks.create_task(work)
    book = await the_ledger(db)
    assert book.balanced
    assert book.emitted > PEOPLE
    paid = await db.fetch("SELECT loan_id FROM installments WHERE outstanding_minor = 0")
    assert len(paid) == PEOPLE // 2
    silent = {row["loan_id"] for row in paid}
    open_ = {r["loan_id"] for r in await reminders(db) if r["status"] in ("planned", "due")}
    assert not silent & open_


async def test_a_changed_cadence_file_is_carried_into_the_plans_at_the_start(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await bring_in_line(context, db)
    before = await reminders(db)
    assert {row["status"] for row in before} == {"planned"}
    standard = cadence.load(cadence.SHIPPED)["standard"]
    shorter = msgspec.structs.replace(standard, steps=standard.steps[:4])
    other = Context(
        identity_key=context.identity_key, cadences={**context.cadences, "standard": shorter}
    )
    await bring_in_line(other, db)
    assert len(await reminders(db, status="planned")) == 4
    gone = await reminders(db, status="cancelled")
    assert {row["reason"] for row in gone} == {"cadence_changed"}
    await bring_in_line(context, db)
    again = await reminders(db, status="planned")
    assert [(r["reminder_id"], r["due_at"]) for r in again] == [
        (r["reminder_id"], r["due_at"]) for r in before
    ]


async def test_what_changed_while_a_cadence_file_was_away_is_planned_when_it_is_back(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await bring_in_line(context, db)
    without = lacking("standard", context)
    await bring_in_line(without, db)
    await record(without, db, installment(version=2, due_date=DUE_DATE + days(5)))
    assert await reminders(db, status="planned") == []
    await bring_in_line(context, db)
    planned = await reminders(db, status="planned")
    assert {row["due_date"] for row in planned} == {DUE_DATE + days(5)}


async def test_what_a_replica_without_the_file_takes_last_is_planned_by_one_that_has_it(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan())
    await bring_in_line(context, db)
    await record(lacking("standard", context), db, installment())
    assert await reminders(db) == []
    await bring_in_line(context, db, forgotten)
    assert await reminders(db, status="planned")


async def test_a_cadence_forgotten_while_it_is_walked_is_walked_again(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan())
    async with db.acquire() as connection:
        await begin_cadence(connection, "standard")
        await record(lacking("standard", context), db, installment())
        await keep_cadence_digest(connection, "standard", digest(context.cadences["standard"]))
    await bring_in_line(context, db, forgotten)
    assert await reminders(db, status="planned")


async def test_replicas_of_different_files_do_not_undo_each_others_plans(
    context: Context, db: Pool, database: Database
) -> None:
    await stand_at(database, NOW)
    await record(context, db, borrower(), loan(), installment())
    await bring_in_line(context, db)
    before = await reminders(db)
    standard = context.cadences["standard"]
    shorter = msgspec.structs.replace(standard, steps=standard.steps[:4])
    other = msgspec.structs.replace(context, cadences={**context.cadences, "standard": shorter})
    await bring_in_line(other, db, forgotten)
    assert await reminders(db) == before


def lacking(name: str, context: Context) -> Context:
    """The same without one cadence's file."""
    left = {other: cadence for other, cadence in context.cadences.items() if other != name}
    return msgspec.structs.replace(context, cadences=left)


async def test_a_watermark_that_two_members_record_at_once_moves_its_feed(
    context: Context, db: Pool, database: Database
) -> None:
    """Each has half of the partitions, as a source writes it on all of them."""
    await stand_at(database, NOW)
    for hours in range(12, 0, -1):
        as_of = NOW - timedelta(hours=hours)
        mark = SourceWatermark(tenant=TENANT, source="core", as_of=as_of, bound_seconds=90_000)

        async def member(
            partitions: Iterable[int], mark: SourceWatermark = mark, offset: int = -hours
        ) -> None:
            async with transaction(db) as connection:
                batch = [envelope(mark, partition=p, offset=offset) for p in partitions]
                await on_loan_events(context, connection, batch)

        await asyncio.gather(member(range(6)), member(range(6, 12)))
        assert await db.fetchval("SELECT as_of FROM feeds") == as_of
