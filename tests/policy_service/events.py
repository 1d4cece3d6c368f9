"""Invented people, and the events and rules that tests tell policy about them."""

import datetime as dt
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

from services.events.deliveries import ContactPointChanged, DeliveryReceipt
from services.events.loans import BorrowerChanged, CandidateZone, DebtChanged
from services.events.permits import ContentFacts, Redeem
from services.events.reminders import ReminderCancelled, ReminderDue
from services.events.stops import StopRecorded
from services.events.words import AttemptState, Basis, Channel, PointKind, Product, Role, Stage

TENANT = "acme"

NAMES = UUID("11111111-2222-3333-4444-555555555555")

# A Tuesday, 14:00 in New York: open hours everywhere in the United States.
AFTERNOON = datetime(2026, 6, 2, 18, 0, tzinfo=UTC)


def who(name: str) -> UUID:
    """The surrogate of an invented person."""
    return uuid5(NAMES, name)


def known_events(name: str) -> list[Any]:
    """What other services tell of a borrower with a phone, a zone and a debt."""
    borrower = BorrowerChanged(
        tenant=TENANT,
        borrower_id=who(name),
        version=1,
        country="US",
        zones=(CandidateZone(zone="America/New_York", basis=Basis.ADDRESS),),
    )
    phone = ContactPointChanged(
        tenant=TENANT,
        borrower_id=who(name),
        contact_point_id=f"cp_{name}",
        version=1,
        kind=PointKind.MOBILE,
        channels=(Channel.SMS,),
        country="US",
        zones=(),
        usable=True,
    )
    return [borrower, phone, debt(name)]


def debt(
    name: str,
    *,
    owed: int = 10_000,
    version: int = 1,
    tenant: str = TENANT,
    source: str | None = None,
) -> DebtChanged:
    """What an invented person owes on the first installment of their one loan."""
    return DebtChanged(
        tenant=tenant,
        borrower_id=who(name),
        loan_id=f"loan-{name}",
        installment_number=1,
        version=version,
        outstanding_minor=owed,
        currency="USD",
        product=Product.PERSONAL_LOAN,
        role=Role.CREDITOR,
        due_date=dt.date(2026, 6, 3),
        source=source,
    )


def due(name: str, **changes: Any) -> ReminderDue:
    """A reminder one day before the due date of that installment."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "reminder_id": uuid4(),
        "emission": 1,
        "borrower_id": who(name),
        "loan_id": f"loan-{name}",
        "installment_number": 1,
        "cycle": 1,
        "step": "T-1",
        "days_from_due": -1,
        "stage": Stage.UPCOMING,
        "due_date": dt.date(2026, 6, 3),
        "due_at": AFTERNOON,
        "valid_until": AFTERNOON + timedelta(days=20),
        "priority": 5,
        "channels": (Channel.SMS,),
        "locale": "en",
        "outstanding_minor": 10_000,
        "currency": "USD",
        "product": Product.PERSONAL_LOAN,
        "role": Role.CREDITOR,
        "days_past_due": 0,
    }
    return ReminderDue(**{**defaults, **changes})


def attempt(asked: ReminderDue, **changes: Any) -> Redeem:
    """An attempt for a reminder that was allowed, at its first channel and the person's phone."""
    defaults: dict[str, Any] = {
        "tenant": asked.tenant,
        "attempt_id": uuid4(),
        "reminder_id": asked.reminder_id,
        "emission": asked.emission,
        "borrower_id": asked.borrower_id,
        "loan_id": asked.loan_id,
        "installment_number": asked.installment_number,
        "stage": asked.stage,
        "channel": asked.channels[0],
        "contact_point_id": "cp_" + asked.loan_id.removeprefix("loan-"),
        "outstanding_minor": asked.outstanding_minor,
        "currency": asked.currency,
        "valid_until": asked.valid_until,
        "content": ContentFacts(opt_out="reply"),
    }
    return Redeem(**{**defaults, **changes})


def receipt(asked: Redeem, state: AttemptState) -> DeliveryReceipt:
    """What the provider said of an attempt."""
    return DeliveryReceipt(
        tenant=TENANT,
        attempt_id=asked.attempt_id,
        reminder_id=asked.reminder_id,
        emission=asked.emission,
        borrower_id=asked.borrower_id,
        contact_point_id=asked.contact_point_id,
        channel=asked.channel,
        provider="twilio",
        state=state,
        at=AFTERNOON,
    )


def stop(name: str | None, kind: str = "opt_out", **changes: Any) -> StopRecorded:
    """A reason not to contact an invented person, received just now."""
    defaults: dict[str, Any] = {
        "tenant": TENANT,
        "stop_id": uuid4(),
        "borrower_id": who(name) if name else None,
        "kind": kind,
        "received_at": AFTERNOON,
    }
    return StopRecorded(**{**defaults, **changes})


def cancelled(asked: ReminderDue | Redeem) -> ReminderCancelled:
    """The reminder must not go out any more."""
    return ReminderCancelled(
        tenant=asked.tenant,
        reminder_id=asked.reminder_id,
        borrower_id=asked.borrower_id,
        version=1,
        reason="paid",
        cancelled_at=AFTERNOON,
    )


def pack(*rules: str, pack: str = "us-fed") -> str:
    """A pack of a test's own; each rule is a YAML flow map."""
    lines = "\n".join(f"  - {rule}" for rule in rules)
    head = f"pack: {pack}\ntitle: A test's own\njurisdiction: nowhere\nstatus: draft"
    return f"{head}\nrules:\n{lines}\n"


WINDOW = '{id: t-hours, kind: contact_window, cite: [test], hours: {daily: "08:00-21:00"}}'


def cap(most: int, *key: str, window: str = "{calendar: day}") -> str:
    """At most so many messages in a window, counted by this key."""
    keys, name = ", ".join(key), "-".join(key).replace("_", "-")
    return (
        f"{{id: t-cap-{name}, kind: frequency_cap, cite: [test], max: {most},"
        f" window: {window}, key: [{keys}]}}"
    )
