"""A database restored to before an emission reads the answers to it again."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from services.events.base import Event
from services.events.reminders import ReminderDue
from services.events.words import AttemptState, Outcome
from services.runtime.database import Pool
from services.scheduler.intake import Context
from tests.database import Database
from tests.scheduler.builders import emit, handle, published, reminders, stand_at
from tests.scheduler.emitted import (
    FIRST_HOUR,
    deferred,
    first_due,
    receipt,
    suppressed,
    the_ledger,
)

LATER = FIRST_HOUR + timedelta(hours=4)


async def restored(context: Context, db: Pool, database: Database) -> ReminderDue:
    """What was emitted, in a database that has forgotten it."""
    due = await first_due(context, db, database)
    await db.execute(
        "UPDATE reminders SET status = 'planned', emission = 0 WHERE reminder_id = $1",
        due.reminder_id,
    )
    await db.execute("DELETE FROM reminder_history WHERE reminder_id = $1", due.reminder_id)
    return due


def sent(due: ReminderDue) -> Event:
    return receipt(due, AttemptState.ACCEPTED, Outcome.SENT)


def failed(due: ReminderDue) -> Event:
    return receipt(due, AttemptState.REJECTED, Outcome.FAILED, "undeliverable")


@pytest.mark.parametrize(
    ("answer", "status"), [(suppressed, "suppressed"), (sent, "sent"), (failed, "failed")]
)
async def test_an_answer_to_a_forgotten_emission_ends_the_reminder_and_it_is_not_asked_again(
    context: Context,
    db: Pool,
    database: Database,
    answer: Callable[[ReminderDue], Event],
    status: str,
) -> None:
    due = await restored(context, db, database)
    for _ in range(2):  # what is read again may come again
        await handle(context, db, answer(due))
    row = (await reminders(db))[0]
    assert (row["status"], row["emission"]) == (status, 1)
    assert await emit(db) == 0
    book = await the_ledger(db)
    assert (book.emitted, book.open, book.balanced) == (1, 0, True)


async def test_a_deferral_of_a_forgotten_emission_is_kept_and_the_next_has_the_next_number(
    context: Context, db: Pool, database: Database
) -> None:
    due = await restored(context, db, database)
    await handle(context, db, deferred(due, LATER, emission=1), deferred(due, LATER, emission=3))
    row = (await reminders(db))[0]
    assert (row["status"], row["emission"], row["due_at"]) == ("planned", 3, LATER)
    assert await emit(db) == 0
    await stand_at(database, LATER)
    assert await emit(db) == 1
    [again] = await published(db, ReminderDue)
    assert (again.reminder_id, again.emission) == (due.reminder_id, 4)
    book = await the_ledger(db)
    assert (book.emitted, book.open, book.balanced) == (1, 1, True)
