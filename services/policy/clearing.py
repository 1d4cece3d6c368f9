"""What is asked about one contact that a person or another system would make.  Pure.

The same rules, on the same facts, by the same functions as at a message's hand-off.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from services.events.base import MinorUnits, Text
from services.events.words import Channel, Stage
from services.policy import facts as v1
from services.policy import visits, words
from services.policy.decide import Reason, allowed_until
from services.policy.feeds import Feeds
from services.policy.gate import LONGEST_VALIDITY, rules_for
from services.policy.gather import Asked, candidate_zones, facts_for
from services.policy.known import Known, Row
from services.policy.ruleset import RuleSet
from services.policy.rulesets import Active, RuleSets
from services.policy.verdict import Answer, Outcome, Ruling, judge, refusal, wait

# What the notifier can send to names the channels of each contact point.
OURS = frozenset(channel.value for channel in Channel)

LONGEST_RESERVATION = 3600
EXPIRES = 900

SAYS = {
    "paid": "Nothing is owed.",
    "feed_stale": "What we know of the debt is missing or too old; ask again.",
    "held_zone": "Nobody knows in which time zone the borrower may be.",
    "held_pack": "No active pack governs the borrower's place.",
    "held_rules": "The active rules can't be read.",
    "held_address": "This contact point is not known, or not fit for the channel.",
    "held_error": "The question could not be judged.",
    "superseded": "The clearance was released, or its contact is reported already.",
}


class Point(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The number or address, by its id if the notifier knows it; never the address itself."""

    id: Text | None = None
    kind: words.PointKind | None = None
    place: words.Place = "personal"
    provided_by: words.Provider = "unknown"
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

    elements: tuple[words.Element, ...] = ()
    labels: tuple[words.Label, ...] = ()
    opt_out: words.OptOut | None = None
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
    person: Text | None = None  # a pseudonym, never a name
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


class Cleared(msgspec.Struct, kw_only=True):
    """The answer, and what it was given on."""

    asked: Asked
    ruling: Ruling
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()
    rule_set: str | None = None
    allowed_until: datetime | None = None


def clear(scene: Scene, question: Question) -> Cleared:
    """Never raises: what fails is asked again later, and nothing is allowed."""
    debt = _debt(scene, question)
    cleared = Cleared(asked=_asked(scene, question, debt), ruling=_early(scene, question, debt))
    if cleared.ruling.outcome is Outcome.ALLOW:
        try:
            _ask(scene, question, cleared)
        except Exception:
            cleared.ruling = refusal(Outcome.HOLD, "held_error")
            cleared.reasons, cleared.allowed_until = (), None
    ruling = cleared.ruling
    if ruling.outcome is Outcome.HOLD:
        # A person must mend it; as at hand-off the one who asks may try again.
        until = wait(scene.known.now, 0)
        ruling = msgspec.structs.replace(ruling, outcome=Outcome.DEFER, until=until)
        cleared.ruling = ruling
    if ruling.outcome is not Outcome.ALLOW and not cleared.reasons:
        says = SAYS[ruling.code or "held_error"]
        cleared.reasons = (visits.refused(ruling.code or "", says, ruling.until),)
    return cleared


def superseded(scene: Scene, question: Question) -> Cleared:
    """Released, or reported: this clearance is used up."""
    ruling = refusal(Outcome.SUPPRESS, "superseded")
    reasons = (visits.refused("superseded", SAYS["superseded"]),)
    debt = _debt(scene, question)
    return Cleared(asked=_asked(scene, question, debt), ruling=ruling, reasons=reasons)


def _early(scene: Scene, question: Question, debt: Row | None) -> Ruling:
    """What needs no rule; allow: the rules are to be asked."""
    owed = debt["outstanding_minor"] if debt else 1
    if owed == 0 and question.purpose in ("reminder", "collection"):
        return refusal(Outcome.SUPPRESS, "paid")
    if debt is None or scene.feeds.stale(scene.tenant, debt["source"]):
        return refusal(Outcome.DEFER, "feed_stale", wait(scene.known.now, 0))
    return Ruling(outcome=Outcome.ALLOW)


def _ask(scene: Scene, question: Question, cleared: Cleared) -> None:
    known, now = scene.known, scene.known.now
    rules = rules_for(known, scene.rule_sets, scene.active, (scene.tenant, scene.borrower_id))
    point = _point(scene, question)
    if isinstance(rules, str) or point is None:
        code = rules if isinstance(rules, str) else "held_address"
        cleared.ruling = refusal(Outcome.HOLD, code)
        return
    facts = _facts(scene, question, cleared.asked, point)
    answer = judge(rules, facts, now)
    shut = _shut(scene, question, cleared.asked, facts) if question.channel == "visit" else ()
    cleared.rule_set = rules.version
    cleared.warnings = answer.warnings
    cleared.reasons = (*answer.reasons, *shut)
    if question.channel == "visit":
        answer = _with_gates(answer, shut, question.visit, rules, facts)
    cleared.ruling = Ruling(
        outcome=answer.outcome,
        until=answer.until,
        code=answer.code,
        rule=answer.rule,
        channels=(question.channel,),
        answers=(msgspec.structs.replace(answer, reasons=cleared.reasons),),
        facts=(facts,),
    )
    if answer.outcome is Outcome.ALLOW:
        limit = now + LONGEST_VALIDITY
        if question.visit is not None and question.visit.window_to is not None:
            limit = min(limit, question.visit.window_to)
        cleared.allowed_until = allowed_until(rules, facts, now, limit)


def _shut(scene: Scene, question: Question, asked: Asked, facts: v1.Facts) -> tuple[Reason, ...]:
    record = visits.Record(
        loan_id=question.loan_id,
        outstanding_minor=asked.outstanding_minor,
        days_past_due=asked.days_past_due,
        history=facts.history,
        unreported=scene.unreported,
    )
    return visits.objections(scene.limits, question.visit, record, scene.known.now)


def _with_gates(
    answer: Answer,
    shut: tuple[Reason, ...],
    plan: visits.Plan | None,
    rules: RuleSet,
    facts: v1.Facts,
) -> Answer:
    """Suppress beats defer.  A visit is deferred to where its window and the rules both allow."""
    if answer.outcome in (Outcome.SUPPRESS, Outcome.HOLD):
        return answer
    if final := [reason for reason in shut if reason.effect == "suppress"]:
        return _refuse(answer, final[0], None)
    if shut and shut[0].until is not None:
        later = judge(rules, facts, shut[0].until)
        if later.outcome not in (Outcome.ALLOW, Outcome.DEFER):
            return later
        answer = _refuse(answer, shut[0], later.until or shut[0].until)
    closes = plan.window_to if plan else None
    if answer.until is not None and (closes is None or answer.until >= closes):
        says = "The rules allow no visit within its window."
        return _refuse(answer, visits.refused("visit_outside_window", says), None)
    return answer


def _refuse(answer: Answer, reason: Reason, until: datetime | None) -> Answer:
    outcome = Outcome.SUPPRESS if until is None else Outcome.DEFER
    return msgspec.structs.replace(
        answer, outcome=outcome, until=until, code=reason.code, rule=None
    )


def _debt(scene: Scene, question: Question) -> Row | None:
    """The installment asked about; else the oldest that is not paid, else the last."""
    number = question.installment_number
    if number is not None:
        rows = [row for row in scene.installments if row["installment_number"] == number]
        return rows[0] if rows else None
    unpaid = [row for row in scene.installments if row["outstanding_minor"]]
    return (unpaid or list(scene.installments)[-1:] or [None])[0]


def _asked(scene: Scene, question: Question, debt: Row | None) -> Asked:
    days = _days_from_due(scene, debt)
    oldest = next((row for row in scene.installments if row["outstanding_minor"]), None)
    role = question.actor.role or (debt["role"] if debt else "collector")
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
        product=debt["product"] if debt else "other",
        role=role,
        account=debt["account"] if debt else None,
        creditor=debt["creditor"] if debt else None,
        outstanding_minor=debt["outstanding_minor"] if debt else 0,
    )


def _days_from_due(scene: Scene, debt: Row | None) -> int:
    """By the earliest date in any candidate zone: nobody is further past due than that."""
    if debt is None:
        return 0
    now = scene.known.now
    zones = candidate_zones(scene.known, (scene.tenant, scene.borrower_id))
    today = min((now.astimezone(ZoneInfo(z.zone)).date() for z in zones), default=now.date())
    days: int = (today - debt["due_date"]).days
    return days


def _point(scene: Scene, question: Question) -> Row | None:
    """A point named by its id must be the borrower's and fit; without one, what the asker says."""
    given = question.contact_point
    if given.id is None:
        return {"contact_point_id": "", "kind": given.kind, "shared": given.shared}
    for point in scene.known.points.get((scene.tenant, scene.borrower_id), ()):
        if point["contact_point_id"] == given.id:
            fits = question.channel not in OURS or question.channel in point["channels"]
            return point if point["usable"] and fits else None
    return None


def _facts(scene: Scene, question: Question, asked: Asked, point: Row) -> v1.Facts:
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
            place=given.place,
            provided_by=given.provided_by,
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
    actor = v1.Actor(role=asked.role, id=question.actor.id)  # type: ignore[arg-type]  # checked
    return msgspec.structs.replace(base, actor=actor, contact=contact)


def entry(question: Question) -> dict[str, object]:
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


def ends(question: Question, now: datetime) -> datetime:
    """When its reservation stops counting (business time)."""
    return now + timedelta(seconds=question.expires_in_seconds)
