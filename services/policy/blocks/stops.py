"""Stops: which of them cover this contact, and when they live (rules.md 6.5)."""

from collections.abc import Iterable

from msgspec import Struct

from services.policy.blocks.channels import covers
from services.policy.blocks.durations import Length
from services.policy.blocks.localtime import ALWAYS, NEVER, Zone, day_number, seconds
from services.policy.facts import Stop
from services.policy.question import Question

CODES: dict[str, str] = {
    "opt_out": "opted_out",
    "cease": "cease_communication",
    "refusal_to_pay": "cease_communication",
    "attorney": "attorney_represented",
    "representative": "representative_appointed",
    "dispute": "dispute_pending",
    "complaint": "complaint_pending",
    "bankruptcy": "bankruptcy_stay",
    "discharge": "bankruptcy_discharge",
    "deceased": "deceased",
    "debt_review": "debt_review",
    "wrong_party": "wrong_party",
    "inconvenient_place": "inconvenient_place",
    "nothing_due": "nothing_due",
    "moratorium": "moratorium",
    "crisis_moratorium": "moratorium",
    "hardship": "hardship_pause",
    "plan_in_preparation": "hardship_pause",
    "occasion": "sensitive_occasion",
    "promise": "promise_to_pay",
    "no_work_contact": "workplace_prohibited",
}

# Not recorded but derived: the balance is known and nothing is owed.
NOTHING_DUE = Stop(kind="nothing_due")  # type: ignore[arg-type]
NO_SCOPE: frozenset[str] = frozenset()


class Life(Struct, frozen=True):
    """When a stop lives, in one zone: from `begins`, before `ends`. Both are instants."""

    begins: int
    ends: int


def covering(
    question: Question, kinds: Iterable[str], ignored: frozenset[str] = NO_SCOPE
) -> list[Stop]:
    """The stops of these kinds whose scope includes this contact."""
    found = [
        stop
        for stop in question.facts.stops
        if stop.kind in kinds and _in_scope(stop, question, ignored)
    ]
    if "nothing_due" in kinds:
        balance = question.facts.debt.balance
        if balance is not None and balance <= 0:
            found.append(NOTHING_DUE)
    return found


def needs_zone(stop: Stop, lasts: Length | None = None, *, from_basis: bool = False) -> bool:
    """Must local dates be compared to know when it lives?"""
    if stop.from_ is not None or stop.until is not None:
        return True
    if lasts is None:
        return False
    if from_basis:
        return stop.basis_ended is not None
    return lasts.elapsed is None and stop.received is not None


def life(
    stop: Stop, zone: Zone | None, lasts: Length | None = None, *, from_basis: bool = False
) -> Life:
    """When the stop lives; without a zone only for one that does not need it."""
    if stop.from_ is not None and zone is not None:
        begins = zone.starts(day_number(stop.from_))
    else:
        begins = ALWAYS if stop.received is None else seconds(stop.received)
    ends = _last(stop, zone, lasts, from_basis)
    return Life(begins, ends if stop.ended is None else min(ends, seconds(stop.ended)))


def possible_life(stop: Stop) -> Life:
    """When a stop with dates may live where nobody knows the zone: what instants alone tell."""
    began = None if stop.from_ is not None else stop.received
    return Life(
        ALWAYS if began is None else seconds(began),
        NEVER if stop.ended is None else seconds(stop.ended),
    )


def _last(stop: Stop, zone: Zone | None, lasts: Length | None, from_basis: bool) -> int:
    if stop.until is not None and zone is not None:
        return zone.starts(day_number(stop.until) + 1)
    if lasts is None:
        return NEVER
    if from_basis:
        if stop.basis_ended is None or zone is None:
            return NEVER
        return lasts.end_from_day(day_number(stop.basis_ended), zone)
    if stop.from_ is not None and zone is not None:
        return lasts.end_from_day(day_number(stop.from_), zone)
    return NEVER if stop.received is None else lasts.end(seconds(stop.received), zone)


def lifted(stop: Stop, now: int) -> bool:
    """Lifted, whatever its dates say."""
    return stop.ended is not None and seconds(stop.ended) <= now


def _in_scope(stop: Stop, question: Question, ignored: frozenset[str]) -> bool:
    return (
        (stop.channels is None or "channels" in ignored or covers(stop.channels, question.channel))
        and (stop.debts is None or "debts" in ignored or question.debt_id in stop.debts)
        and (
            stop.contact_points is None
            or "contact_points" in ignored
            or question.point_id is None
            or question.point_id in stop.contact_points
        )
        and (stop.places is None or "places" in ignored or question.place in stop.places)
        and (
            stop.purposes is None
            or "purposes" in ignored
            or question.contact.purpose in stop.purposes
        )
        and (stop.persons is None or "persons" in ignored or question.person in stop.persons)
    )
