"""A visit's gates of evidence: what must be on record before somebody rings at a door.

Pure.  The packs say whether a visit is lawful; this says whether it is warranted: softer channels
were tried, the debt and its age are over the tenant's thresholds, two people go, inside a window,
on a plan that somebody else approved, and the visit before was reported.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec

from services.events.base import Instant, MinorUnits, Text
from services.policy.decide import Reason
from services.policy.facts import Entry

# Nothing was learned from these: a channel is tried when the ledger says what came of it.
UNTRIED = frozenset({"reserved", "unknown", "cancelled"})

Positive = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tenant's thresholds; these defaults hold until it sets its own."""

    min_outstanding_minor: MinorUnits = 10_000
    min_days_past_due: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    softer_attempts: Positive = 3
    softer_channels: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2
    # The ledger is read 62 days back (lookback.SHORTEST).
    softer_days: Annotated[int, msgspec.Meta(ge=1, le=60)] = 60
    people: Annotated[int, msgspec.Meta(ge=2, le=10)] = 2
    longest_window_minutes: Annotated[int, msgspec.Meta(ge=15, le=720)] = 240


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who goes, when, and who said that they may; people by the lender's own staff ids."""

    people: tuple[Text, ...] = ()
    window_from: Instant | None = None
    window_to: Instant | None = None
    plan_id: Text | None = None
    by: Text | None = None
    approved_by: Text | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger and the debts say."""

    loan_id: str
    outstanding_minor: int
    days_past_due: int
    history: tuple[Entry, ...]
    unreported: bool  # an earlier visit of this borrower


def objections(
    limits: Limits, plan: Plan | None, record: Record, now: datetime
) -> tuple[Reason, ...]:
    """Every gate that is shut; empty: the visit is warranted.  Only the window opens by itself."""
    plan = plan or Plan()
    found = [
        *_evidence(limits, record, now),
        *_people(limits, plan),
        *_approval(plan),
        *_window(limits, plan, now),
    ]
    if record.unreported:
        found.append(refused("visit_report_missing", "An earlier visit has not been reported."))
    return tuple(found)


def refused(code: str, says: str, until: datetime | None = None) -> Reason:
    """A reason of the service's own: no rule, no citation."""
    return Reason(
        rule=None,
        pack=None,
        kind=None,
        code=code,
        effect="suppress" if until is None else "defer",
        until=until,
        cite=(),
        presumption=False,
        says=says,
    )


def _evidence(limits: Limits, record: Record, now: datetime) -> list[Reason]:
    found = []
    tried = _tried(record, now - timedelta(days=limits.softer_days))
    if len(tried) < limits.softer_attempts or len(set(tried)) < limits.softer_channels:
        says = (
            f"A visit needs {limits.softer_attempts} recorded attempts on {limits.softer_channels}"
            f" softer channels within {limits.softer_days} days; there are {len(tried)} on"
            f" {len(set(tried))}."
        )
        found.append(refused("visit_evidence_missing", says))
    if record.outstanding_minor < limits.min_outstanding_minor:
        says = f"The debt is under {limits.min_outstanding_minor} minor units."
        found.append(refused("visit_debt_too_small", says))
    if record.days_past_due < limits.min_days_past_due:
        says = f"A visit may be made from {limits.min_days_past_due} days past due on."
        found.append(refused("visit_too_early", says))
    return found


def _tried(record: Record, since: datetime) -> Sequence[str]:
    return [
        entry.channel
        for entry in record.history
        if entry.direction == "outbound"
        and entry.channel != "visit"
        and entry.outcome not in UNTRIED
        and entry.at > since
        and entry.person == "debtor"
        and (entry.debts is None or record.loan_id in entry.debts)
    ]


def _people(limits: Limits, plan: Plan) -> list[Reason]:
    people = {person.strip().casefold() for person in plan.people}
    if len(people) >= limits.people:
        return []
    return [refused("visit_people_missing", f"A visit is made by {limits.people} people or more.")]


def _approval(plan: Plan) -> list[Reason]:
    if plan.plan_id is None or plan.by is None:
        return [refused("visit_plan_missing", "A visit needs a plan, and who made it.")]
    if plan.approved_by is None or _same(plan.by, plan.approved_by):
        says = "Somebody else than its author must have approved the plan."
        return [refused("visit_plan_not_approved", says)]
    return []


def _window(limits: Limits, plan: Plan, now: datetime) -> list[Reason]:
    opens, closes = plan.window_from, plan.window_to
    longest = timedelta(minutes=limits.longest_window_minutes)
    if opens is None or closes is None or not timedelta(0) < closes - opens <= longest:
        says = f"A visit needs a window of at most {limits.longest_window_minutes} minutes."
        return [refused("visit_window_missing", says)]
    if now < opens:
        return [refused("visit_outside_window", "The visit's window has not begun.", opens)]
    if now >= closes:
        return [refused("visit_outside_window", "The visit's window is over.")]
    return []


def _same(one: str, other: str) -> bool:
    return one.strip().casefold() == other.strip().casefold()
