"""What one asks about a contact that a person or another system would make: names of facts v1."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec

from services.events.base import MinorUnits, Text
from services.events.words import Element, Label, OptOut
from services.policy import words
from services.policy.clearances import visits

# Seconds that a reservation counts without being redeemed: at most, and unless asked otherwise.
LONGEST_RESERVATION = 3600
EXPIRES = 900


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number or address, by its id if the notifier knows it; never the address itself."""

    id: Text | None = None
    kind: words.PointKind | None = None
    place: words.Place = "personal"
    provided_by: words.ProvidedBy = "unknown"
    shared: bool = False


class Sender(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the contact shows who makes it."""

    caller_id: words.CallerId = "shown"
    device: words.Device = "company"


class Actor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who would make the contact; without a role that of the debt."""

    id: Text = "us"
    role: words.Role | None = None


class Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the message or script contains, by names of the closed lists; never its text."""

    elements: tuple[Element, ...] = ()
    labels: tuple[Label, ...] = ()
    opt_out: OptOut | None = None
    states_debt: bool | None = None
    amount_minor: MinorUnits | None = None


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """May I?  The names are those of facts v1."""

    borrower_ref: Text
    loan_id: Text
    channel: words.Channel
    purpose: words.Purpose
    recipient: words.Recipient = "debtor"
    clearance_id: UUID | None = None
    installment_number: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    person: Text | None = None  # who else of that kind: a pseudonym, never a name
    class_: words.Class = msgspec.field(default="ordinary", name="class")
    technology: words.Technology | None = None
    event: Text | None = None
    contact_point: Point = Point()
    sender: Sender = Sender()
    actor: Actor = Actor()
    content: Content | None = None
    visit: visits.Plan | None = None
    reserve: bool = True
    expires_in_seconds: Annotated[int, msgspec.Meta(ge=1, le=LONGEST_RESERVATION)] = EXPIRES


def ledger_entry(question: Question) -> dict[str, object]:
    """What the ledger keeps of it beside its columns, by the names of facts v1."""
    person = question.person or question.recipient
    more: dict[str, object] = {
        "person": None if person == "debtor" else person,
        "place": None
        if question.contact_point.place == "personal"
        else question.contact_point.place,
        "class": None if question.class_ == "ordinary" else question.class_,
        "collector": question.actor.id,
        "technology": question.technology,
        "event": question.event,
    }
    return {name: value for name, value in more.items() if value is not None}


def ends_at(question: Question, now: datetime) -> datetime:
    """When its reservation stops counting (business time)."""
    return now + timedelta(seconds=question.expires_in_seconds)
