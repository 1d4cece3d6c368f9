"""What does a change of facts do to an installment's debt and reminders?  Pure.

The same function answers for a new loan, a payment, a bounced payment, a moved due date, a closed
loan and a borrower who moved: it compares what the facts ask for with what is there, so the order
in which the facts came doesn't matter.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from services.events.loans import DebtChanged
from services.events.words import Channel, Product, Role, Stage
from services.scheduler.cadence import Cadence
from services.scheduler.plan import Installment, Loan, Reminder, ladder, plan


class CancelReason(StrEnum):
    """Why a reminder is taken back."""

    PAID = "paid"
    LOAN_CLOSED = "loan_closed"
    RESCHEDULED = "rescheduled"
    CADENCE_CHANGED = "cadence_changed"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A loan as far as its installments need it."""

    product: Product
    role: Role
    account: str | None
    creditor: str | None
    time_barred: bool
    in_procedures: bool
    missed_meetings: int
    source: str
    cadence: str
    closed: bool


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """One installment with all that bears on it, read under its borrower's lock."""

    tenant: str
    loan_id: str
    installment_number: int
    borrower_id: UUID
    due_date: date
    amount_minor: int
    currency: str
    paid_minor: int
    # what we made of it the last time
    revision: int  # of DebtChanged; 0: never told
    told: bytes | None  # digest of the last DebtChanged
    outstanding_minor: int | None
    cycle: int
    armed_for: date | None  # the due date its reminders were made for
    # what it hangs on; None: not here yet, the installment waits for it
    terms: Terms | None
    zones: tuple[ZoneInfo, ...] | None  # None: the borrower isn't registered yet


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A reminder that is there and still open."""

    reminder_id: UUID
    emission: int
    due_at: datetime
    valid_until: datetime
    stage: Stage
    priority: int
    channels: tuple[Channel, ...]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to write.  `moved` are reminders that keep their ids and get other hours or words."""

    situation: Situation
    outstanding_minor: int
    revision: int
    told: bytes
    debt: DebtChanged | None  # None: policy knows already
    cycle: int
    armed_for: date | None
    added: tuple[Reminder, ...] = ()
    moved: tuple[Reminder, ...] = ()
    cancelled: tuple[tuple[UUID, CancelReason], ...] = ()


def replan(
    situation: Situation,
    known: Sequence[Known],
    cadences: Mapping[str, Cadence],
    now: datetime,
) -> Change | None:
    """None while the loan isn't registered: nothing is owed on it as far as anybody knows."""
    terms = situation.terms
    if terms is None:
        return None
    outstanding = 0 if terms.closed else max(0, situation.amount_minor - situation.paid_minor)
    debt = _debt(situation, terms, outstanding, situation.revision + 1)
    told = _digest(debt)
    change = Change(
        situation=situation,
        outstanding_minor=outstanding,
        revision=situation.revision if told == situation.told else debt.version,
        told=told,
        debt=None if told == situation.told else debt,
        cycle=situation.cycle,
        armed_for=situation.armed_for,
    )
    if outstanding == 0:
        reason = CancelReason.LOAN_CLOSED if terms.closed else CancelReason.PAID
        gone = tuple((reminder.reminder_id, reason) for reminder in known)
        return msgspec.structs.replace(change, cancelled=gone)
    rescheduled = situation.armed_for not in (None, situation.due_date)
    owed_again = situation.armed_for is not None and situation.outstanding_minor == 0
    if rescheduled or owed_again:
        # Ids of an earlier cycle are spent: they were sent or cancelled, and never go out again.
        change = msgspec.structs.replace(
            change, cycle=situation.cycle + 1, armed_for=situation.due_date
        )
    reason = CancelReason.RESCHEDULED if rescheduled else CancelReason.CADENCE_CHANGED
    cadence = cadences.get(terms.cadence)
    if situation.zones is None or cadence is None:
        # An unknown cadence is refused at the door; one whose file went since plans nothing new
        # until it is back, but no reminder states a due date that was moved.
        gone = tuple((old.reminder_id, reason) for old in known if rescheduled)
        return msgspec.structs.replace(change, cancelled=gone)
    return _rearm(change, situation.zones, known, cadence, reason, now)


def _rearm(
    change: Change,
    zones: tuple[ZoneInfo, ...],
    known: Sequence[Known],
    cadence: Cadence,
    reason: CancelReason,
    now: datetime,
) -> Change:
    s = change.situation
    loan = Loan(tenant=s.tenant, loan_id=s.loan_id)
    installment = Installment(number=s.installment_number, due_date=s.due_date, cycle=change.cycle)
    rungs = {r.reminder_id: r for r in ladder(loan, installment, cadence, zones)}
    there = {reminder.reminder_id for reminder in known}
    return msgspec.structs.replace(
        change,
        armed_for=s.due_date,
        added=tuple(
            reminder
            for reminder in plan(loan, installment, cadence, zones, now)
            if reminder.reminder_id not in there
        ),
        moved=tuple(
            rungs[old.reminder_id]
            for old in known
            if old.reminder_id in rungs and _differs(old, rungs[old.reminder_id])
        ),
        cancelled=tuple((old.reminder_id, reason) for old in known if old.reminder_id not in rungs),
    )


def _differs(old: Known, new: Reminder) -> bool:
    """Once emitted, a reminder stays as it is: policy has it, and asks for the zones itself."""
    return old.emission == 0 and (
        (old.due_at, old.valid_until, old.stage, old.priority, old.channels)
        != (new.due_at, new.valid_until, new.stage, new.priority, new.channels)
    )


def debt_told(s: Situation) -> DebtChanged | None:
    """What policy was last told of the installment, again; None: nothing yet."""
    if s.terms is None or s.outstanding_minor is None:
        return None
    return _debt(s, s.terms, s.outstanding_minor, s.revision)


def _debt(s: Situation, terms: Terms, outstanding: int, version: int) -> DebtChanged:
    return DebtChanged(
        tenant=s.tenant,
        borrower_id=s.borrower_id,
        loan_id=s.loan_id,
        installment_number=s.installment_number,
        version=version,
        outstanding_minor=outstanding,
        currency=s.currency,
        product=terms.product,
        role=terms.role,
        due_date=s.due_date,
        account=terms.account,
        creditor=terms.creditor,
        time_barred=terms.time_barred,
        in_procedures=terms.in_procedures,
        missed_meetings=terms.missed_meetings,
        source=terms.source,
    )


def _digest(debt: DebtChanged) -> bytes:
    """Of everything but the version: the same digest, nothing new to tell."""
    plain = msgspec.json.encode(msgspec.structs.replace(debt, version=0))
    return hashlib.blake2b(plain, digest_size=16).digest()
