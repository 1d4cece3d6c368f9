"""The events that answer a reminder: allowed, deferred, suppressed."""

from datetime import UTC, datetime

from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.reminders import (
    ReminderAllowed,
    ReminderDeferred,
    ReminderDue,
    ReminderSuppressed,
)
from services.policy.decisions import Made
from services.policy.verdict import Outcome

SOURCE = "/dunwell/policy"


def answer(due: ReminderDue, made: Made, now: datetime) -> Record | None:
    """The event that answers this emission; none while it is held, none for a cancelled one (the
    scheduler has settled it)."""
    ruling = made.ruling
    if ruling.outcome is Outcome.HOLD or ruling.code == "cancelled":
        return None
    if ruling.outcome is Outcome.ALLOW:
        return _record(_allowed(due, made, now), due.emission, now)
    return refused(made, now)


def refused(made: Made, now: datetime) -> Record:
    """`reminder.deferred` or `reminder.suppressed`, from either checkpoint."""
    asked, ruling = made.asked, made.ruling
    if ruling.outcome is Outcome.DEFER and ruling.until is not None:
        event: ReminderDeferred | ReminderSuppressed = ReminderDeferred(
            tenant=asked.tenant,
            reminder_id=asked.reminder_id,
            emission=asked.emission,
            decision_id=made.last.decision_id,
            borrower_id=asked.borrower_id,
            until=ruling.until,
            code=ruling.code or "",
            rule=ruling.rule,
            decided_at=now,
        )
    else:
        event = ReminderSuppressed(
            tenant=asked.tenant,
            reminder_id=asked.reminder_id,
            emission=asked.emission,
            decision_id=made.last.decision_id,
            borrower_id=asked.borrower_id,
            code=ruling.code or "",
            rule=ruling.rule,
            decided_at=now,
        )
    return _record(event, asked.emission, now)


def _allowed(due: ReminderDue, made: Made, now: datetime) -> ReminderAllowed:
    allowed = made.ruling.channels
    return ReminderAllowed(
        tenant=due.tenant,
        reminder_id=due.reminder_id,
        emission=due.emission,
        decision_id=made.last.decision_id,
        borrower_id=due.borrower_id,
        loan_id=due.loan_id,
        installment_number=due.installment_number,
        stage=due.stage,
        days_from_due=due.days_from_due,
        due_date=due.due_date,
        valid_until=due.valid_until,
        priority=due.priority,
        channels=tuple(channel for channel in due.channels if channel in allowed),
        refused_contact_points=made.ruling.refused_points,
        locale=due.locale,
        outstanding_minor=made.asked.outstanding_minor,
        currency=due.currency,
        role=due.role,
        decided_at=now,
    )


def _record(
    event: ReminderAllowed | ReminderDeferred | ReminderSuppressed, emission: int, now: datetime
) -> Record:
    return encode(
        event,
        source=SOURCE,
        key=borrower_key(event.tenant, event.borrower_id),
        event_id=derived_id(
            "answer", event.tenant, event.reminder_id, emission, type(event).__name__
        ),
        time=now.astimezone(UTC),
    )
