"""A reminder's way from due to decided; each emission of a reminder is asked once."""

from datetime import date
from uuid import UUID

from services.events.base import (
    Count,
    Currency,
    Event,
    Instant,
    MinorUnits,
    ReasonCode,
    Signed,
    Text,
    Version,
)
from services.events.words import Channel, Product, Role, Stage


class ReminderDue(Event, frozen=True, kw_only=True):
    """A reminder's hour has come; nobody has yet asked whether it may go out."""

    reminder_id: UUID
    emission: Count  # 1, 2, …: every dedupe key is (reminder_id, emission)
    borrower_id: UUID
    loan_id: Text
    installment_number: Count
    cycle: Count  # counts re-arming: a reversed payment, a reschedule
    step: Text  # of the cadence, "T-3"
    days_from_due: Signed  # -3 is three days before the due date, +7 a week after
    stage: Stage
    due_date: date
    due_at: Instant
    valid_until: Instant  # a deferral beyond it is suppressed as stale_step
    priority: Signed  # the lower goes first when several wait for the same instant
    channels: tuple[Channel, ...]  # in the order they are to be tried
    locale: Text
    outstanding_minor: MinorUnits
    currency: Currency
    product: Product
    role: Role
    days_past_due: Count
    account: Text | None = None
    creditor: Text | None = None


class ReminderCancelled(Event, frozen=True, kw_only=True):
    """The reminder must not go out any more.  May arrive before its due: keep a tombstone."""

    reminder_id: UUID
    borrower_id: UUID
    version: Version
    reason: ReasonCode
    cancelled_at: Instant


class ReminderAllowed(Event, frozen=True, kw_only=True):
    """Policy found no objection when asked; it will be asked again at hand-off."""

    reminder_id: UUID
    emission: Count
    decision_id: UUID
    borrower_id: UUID
    loan_id: Text
    installment_number: Count
    stage: Stage
    days_from_due: Signed
    due_date: date
    valid_until: Instant
    priority: Signed
    channels: tuple[Channel, ...]  # those that may be tried now, in order
    refused_contact_points: tuple[Text, ...] = ()  # their ids: not to be tried, policy says no
    locale: Text
    outstanding_minor: MinorUnits
    currency: Currency
    role: Role
    decided_at: Instant


class ReminderDeferred(Event, frozen=True, kw_only=True):
    """Not now: ask again at `until`, with the next emission."""

    reminder_id: UUID
    emission: Count
    decision_id: UUID
    borrower_id: UUID
    until: Instant
    code: ReasonCode  # of the first reason
    rule: Text | None  # the rule that objected; none for a service code
    decided_at: Instant


class ReminderSuppressed(Event, frozen=True, kw_only=True):
    """Time alone will not cure it: this reminder ends here."""

    reminder_id: UUID
    emission: Count
    decision_id: UUID
    borrower_id: UUID
    code: ReasonCode
    rule: Text | None
    decided_at: Instant
