"""What becomes of an emitted reminder: put off, suppressed, sent, failed."""

from datetime import timedelta

from services.events.reminders import (
    ReminderCancelled,
)
from services.events.words import AttemptState, Outcome
from services.runtime.database import Pool
from services.scheduler.intake import Context
from tests.database import Database
from tests.scheduler.builders import (
    emit,
    handle,
    payment,
    published,
    record,
    stand_at,
    status_of,
)
from tests.scheduler.emitted import FIRST_HOUR, deferred, first_due, receipt, suppressed, the_ledger


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


async def test_a_suppression_counts_for_the_emission_it_answers(
    context: Context, db: Pool, database: Database
) -> None:
    due = await first_due(context, db, database)
    until = FIRST_HOUR + timedelta(hours=1)
    await handle(context, db, deferred(due, until))
    await stand_at(database, until)
    assert await emit(db) == 1
    await handle(context, db, suppressed(due, emission=1))
    assert await status_of(db, due.reminder_id) == ("due", None, 2)
    await handle(context, db, suppressed(due, emission=2))
    assert await status_of(db, due.reminder_id) == ("suppressed", "opt_out", 2)
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
