"""Carry changed facts into debts and reminders: load, ask `replan`, save, tell policy."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from services.events.base import Event
from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.loans import DebtChanged
from services.events.reminders import ReminderCancelled
from services.runtime import metrics, outbox
from services.runtime.database import Connection, after_commit
from services.scheduler import store_reminders
from services.scheduler.cadence import Cadence
from services.scheduler.keys import InstallmentKey, Row
from services.scheduler.replan import Change, replan

SOURCE = "/dunwell/scheduler"

# A round holds a few thousand reminders; a mortgage's 360 installments of ten steps take several.
ROUND = 500


async def refresh(
    connection: Connection,
    keys: Collection[InstallmentKey],
    cadences: Mapping[str, Cadence],
    now: datetime,
) -> None:
    """Bring debts and reminders of these installments to what the facts ask for.

    Their borrowers must be locked.  Repeating it changes nothing.
    """
    ordered = sorted(keys)
    for start in range(0, len(ordered), ROUND):
        await _round(connection, ordered[start : start + ROUND], cadences, now)


async def _round(
    connection: Connection,
    keys: Sequence[InstallmentKey],
    cadences: Mapping[str, Cadence],
    now: datetime,
) -> None:
    found = await store_reminders.situations(connection, keys)
    if missing := {s.terms.cadence for s in found if s.terms} - cadences.keys():
        await store_reminders.forget_cadences(connection, missing)
    armed = [
        InstallmentKey(s.tenant, s.loan_id, s.installment_number)
        for s in found
        if s.armed_for is not None
    ]
    known = await store_reminders.lock_open_reminders(connection, armed) if armed else {}
    changes = []
    for s in found:
        there = known.get(InstallmentKey(s.tenant, s.loan_id, s.installment_number), ())
        if change := replan(s, there, cadences, now):
            changes.append(change)
    if changes:
        await _save(connection, changes, now)


async def _save(connection: Connection, changes: Sequence[Change], now: datetime) -> None:
    await store_reminders.save_installments(connection, changes)
    if added := [(c.situation, r) for c in changes for r in c.added]:
        await store_reminders.add_reminders(connection, added)
    if moved := [(c.situation, r) for c in changes for r in c.moved]:
        await store_reminders.move_reminders(connection, moved)
    gone = [(c.situation.tenant, *entry) for c in changes for entry in c.cancelled]
    told = await store_reminders.cancel_reminders(connection, gone, now) if gone else []
    count_settled("cancelled", len(told))
    records = [debt_record(c.debt, now) for c in changes if c.debt]
    records += [cancel_record(cancelled(row), now) for row in told]
    await outbox.put(connection, records)


def count_settled(outcome: str, count: int) -> None:
    """So many reminders ended, once that is committed: a batch that fails is done again."""
    if count:
        after_commit(partial(metrics.SETTLED.labels(outcome).inc, count))


def debt_record(debt: DebtChanged, now: datetime) -> Record:
    """On loan.changed; the same version of an installment's debt is the same event."""
    number, version = debt.installment_number, debt.version
    return _record(debt, debt.borrower_id, now, "debt", debt.tenant, debt.loan_id, number, version)


def cancelled(row: Row) -> ReminderCancelled:
    """A row of cancelled reminders as the event."""
    return ReminderCancelled(
        tenant=row["tenant"],
        reminder_id=row["reminder_id"],
        borrower_id=row["borrower_id"],
        version=row["revision"],
        reason=row["reason"],
        cancelled_at=row["settled_at"],
    )


def cancel_record(event: ReminderCancelled, now: datetime) -> Record:
    """On reminder.cancelled."""
    reminder_id, version = event.reminder_id, event.version
    return _record(event, event.borrower_id, now, "cancelled", reminder_id, version)


def _record(event: Event, borrower_id: object, now: datetime, *identity: object) -> Record:
    return encode(
        event,
        source=SOURCE,
        key=borrower_key(event.tenant, str(borrower_id)),
        event_id=derived_id(*identity),
        time=now,
    )
