"""What was read under the locks, and the question in the terms of the rules.  Pure."""

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from services.events.words import Channel, Stage
from services.policy import facts as v1
from services.policy.asked import Asked, terms_of
from services.policy.clearances import visits
from services.policy.clearances.question import Question
from services.policy.feeds import Feeds
from services.policy.gather import candidate_zones, facts_for
from services.policy.known import Known, Row
from services.policy.rulesets import Active, RuleSets

# What the notifier can send to names the channels of each contact point.
OURS = frozenset(channel.value for channel in Channel)


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was read under the locks."""

    tenant: str
    borrower_id: UUID
    clearance_id: UUID
    known: Known
    installments: Sequence[Row]  # of the loan, oldest first
    rule_sets: RuleSets
    active: Active
    feeds: Feeds
    limits: visits.Limits
    unreported: bool


def debt_of(scene: Scene, question: Question) -> Row | None:
    """The installment asked about; else the oldest that is not paid, else the last."""
    number = question.installment_number
    if number is not None:
        rows = [row for row in scene.installments if row["installment_number"] == number]
        return rows[0] if rows else None
    unpaid = [row for row in scene.installments if row["outstanding_minor"]]
    return (unpaid or list(scene.installments)[-1:] or [None])[0]


def asked_of(scene: Scene, question: Question, debt: Row | None) -> Asked:
    days = _days_from_due(scene, debt)
    oldest = next((row for row in scene.installments if row["outstanding_minor"]), None)
    terms = terms_of(debt)
    if question.actor.role is not None:
        terms = msgspec.structs.replace(terms, role=question.actor.role)
    return Asked(
        tenant=scene.tenant,
        reminder_id=scene.clearance_id,
        emission=0,
        borrower_id=scene.borrower_id,
        loan_id=question.loan_id,
        installment_number=debt["installment_number"] if debt else 0,
        stage=Stage.UPCOMING if days < 0 else Stage.OVERDUE if days else Stage.DUE,
        days_from_due=days,
        days_past_due=max(0, _days_from_due(scene, oldest)),
        terms=terms,
        outstanding_minor=debt["outstanding_minor"] if debt else 0,
    )


def _days_from_due(scene: Scene, debt: Row | None) -> int:
    """By the earliest date in any candidate zone: nobody is further past due than that."""
    if debt is None:
        return 0
    now = scene.known.now
    zones = candidate_zones(scene.known, (scene.tenant, scene.borrower_id))
    today = min((now.astimezone(_zone(z.zone)).date() for z in zones), default=now.date())
    days: int = (today - debt["due_date"]).days
    return days


def _zone(name: str) -> tzinfo:
    """UTC for a zone that does not exist: the rules can't be asked in it, which is said there."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def point_of(scene: Scene, question: Question) -> Row | None:
    """A point named by its id must be the borrower's and fit; without one, what the asker says."""
    given = question.contact_point
    if given.id is None:
        return {
            "contact_point_id": "",
            "kind": given.kind,
            "place": given.place,
            "provided_by": given.provided_by,
            "shared": given.shared,
        }
    for point in scene.known.points.get((scene.tenant, scene.borrower_id), ()):
        if point["contact_point_id"] == given.id:
            fits = question.channel not in OURS or question.channel in point["channels"]
            return point if point["usable"] and fits else None
    return None


def facts_of(scene: Scene, question: Question, asked: Asked, point: Row) -> v1.Facts:
    given, content = question.contact_point, question.content
    base = facts_for(scene.known, asked, question.channel, point)
    contact = v1.Contact(
        channel=question.channel,
        purpose=question.purpose,
        recipient=question.recipient,
        person=question.person,
        class_=question.class_,
        technology=question.technology,
        event=question.event,
        contact_point=v1.ContactPoint(
            id=given.id,
            kind=point["kind"],
            place=_told(given.place, "personal", point["place"]),
            provided_by=_told(given.provided_by, "unknown", point["provided_by"]),
            shared=given.shared or point["shared"],
        ),
        sender=v1.Sender(caller_id=question.sender.caller_id, device=question.sender.device),
        content=None
        if content is None
        else v1.Content(
            elements=content.elements,
            labels=content.labels,
            opt_out=content.opt_out,
            states_debt=content.states_debt,
            amount=content.amount_minor,
        ),
    )
    actor = v1.Actor(role=asked.terms.role, id=question.actor.id)  # type: ignore[arg-type]  # checked
    return msgspec.structs.replace(base, actor=actor, contact=contact)


def _told(asker: str, silence: str, known: str) -> Any:
    """What the asker says of a contact point; where they say nothing, what the lender said."""
    return known if asker == silence else asker
