"""A reminder that has just been emitted, and what may be answered to it."""

from datetime import UTC, datetime
from uuid import uuid4

from services.events.deliveries import DeliveryReceipt
from services.events.reminders import (
    ReminderDeferred,
    ReminderDue,
    ReminderSuppressed,
)
from services.events.words import AttemptState, Channel, Outcome
from services.runtime.database import Pool
from services.scheduler.intake import Context
from services.scheduler.ledger import Ledger, Tally, balance
from services.scheduler.store_reminders import ledger
from tests.database import Database
from tests.scheduler.builders import (
    NOW,
    TENANT,
    borrower,
    emit,
    installment,
    loan,
    published,
    record,
    stand_at,
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


async def the_ledger(db: Pool) -> Ledger:
    async with db.acquire() as connection:
        rows, emitted = await ledger(connection, TENANT)
    return balance((Tally(*row) for row in rows), emitted)
