"""What lifts a rule: the conditions of `unless` (rules.md 4.2)."""

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Struct

from services.policy.blocks.bars import HOLDS, Spans, Timed
from services.policy.blocks.consents import ConsentTo, leaves
from services.policy.blocks.durations import Span
from services.policy.blocks.localtime import ALWAYS, NEVER
from services.policy.blocks.scope import Scope, tests_of
from services.policy.blocks.stops import covering, life, needs_zone
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.strict import Path, ReadBy
from services.policy.values import Count


def _read_within(value: object, path: Path) -> Span | Literal["same_day"]:
    return "same_day" if value == "same_day" else Span.read(value, path)


class Reply(Struct, frozen=True, kw_only=True):
    same_channel: bool = True
    once: bool = True
    within: Annotated[Span | Literal["same_day"], ReadBy(_read_within)] = Span(24 * 3600)


class Condition(Scope, frozen=True, kw_only=True):
    """As written in a rule: every key that is given must hold."""

    consent: ConsentTo | None = None
    reply: Reply | None = None
    requested: Literal[True] | None = None
    used_by_borrower: Literal[True] | None = None
    within: Span | None = None
    max: Count | None = None


# They look at the stop that is judged: other kinds of rule judge none.
ONLY_IN_STOP_WHEN = ("within", "max")

# When the stop that is being judged began, in each zone; empty where no stop is judged, None where
# nobody knows.
Begins = tuple[int, ...] | None
# The condition for one question, as the clock moves; None if it holds at no time.
Lift = Callable[[Question, Zones, Begins], Timed | None]


class All:
    """Holds when each of its parts does."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[Timed]) -> None:
        self._parts = parts

    def holds(self, t: int) -> bool:
        return all(part.holds(t) for part in self._parts)

    def changes(self, t: int) -> int:
        return min(part.changes(t) for part in self._parts)


class Any:
    """Holds when one of its parts does."""

    __slots__ = ("_parts",)

    def __init__(self, parts: list[Timed]) -> None:
        self._parts = parts

    def holds(self, t: int) -> bool:
        return any(part.holds(t) for part in self._parts)

    def changes(self, t: int) -> int:
        return min((part.changes(t) for part in self._parts), default=NEVER)


def lift(condition: Condition) -> Lift:
    """The condition compiled: facts that stand still are tested first, what moves with the clock is
    left for later.
    """
    standing = tests_of(condition, unknown=False)
    moving = [
        part
        for key, part in (
            (condition.stop, _stopped(condition.stop or frozenset())),
            (condition.consent, _consented(condition.consent)),
            (condition.reply, _replying(condition.reply or Reply())),
            (condition.requested, _requested),
            (condition.used_by_borrower, _used_by_borrower),
            (condition.within, _within(condition.within or Span())),
            (condition.max, _fewer_than(condition.max or 0)),
        )
        if key is not None
    ]

    def bind(question: Question, zones: Zones, begins: Begins) -> Timed | None:
        for test in standing:
            if not test(question):
                return None
        parts: list[Timed] = []
        for part in moving:
            timed = part(question, zones, begins)
            if timed is None:
                return None
            if timed is not HOLDS:
                parts.append(timed)
        return All(parts) if len(parts) > 1 else parts[0] if parts else HOLDS

    return bind


def _stopped(kinds: frozenset[str]) -> Lift:
    """A live stop of one of these kinds covers the contact, in every zone."""

    def bind(question: Question, zones: Zones, begins: Begins) -> Timed | None:
        stops = covering(question, kinds)
        if not zones:
            lives = [life(stop, None) for stop in stops if not needs_zone(stop)]
            return Spans([(found.begins, found.ends) for found in lives]) if lives else None
        if not stops:
            return None
        return All(
            [
                Spans([(found.begins, found.ends) for found in (life(s, zone) for s in stops)])
                for zone in zones
            ]
        )

    return bind


def _consented(wanted: ConsentTo | None) -> Lift:
    def bind(question: Question, zones: Zones, begins: Begins) -> Timed | None:
        if wanted is None or not question.facts.consents:
            return None
        found, _ = leaves(question, wanted, zones)
        return (found[0] if len(found) == 1 else Any(found)) if found else None

    return bind


def _replying(reply: Reply) -> Lift:
    """The contact answers the person's latest message, in time, and nothing has answered it yet."""

    def bind(question: Question, zones: Zones, begins: Begins) -> Timed | None:
        if begins is None:
            return None
        with_person = [
            (at, entry.direction)
            for at, entry in question.history
            if entry.person == question.person
            and (not reply.same_channel or entry.channel == question.channel)
        ]
        asked = max((at for at, way in with_person if way == "inbound"), default=None)
        if asked is None or any(asked <= begin for begin in begins):
            return None
        if reply.once and any(at > asked and way == "outbound" for at, way in with_person):
            return None
        if reply.within == "same_day":
            # In every candidate zone, whichever of them the rule uses (rules.md 4.2).
            days = (zone.starts(zone.day(asked) + 1) for zone in question.zones)
            ends = min(days, default=ALWAYS)
        else:
            ends = asked + reply.within + 1  # at most so long before: the last second is included
        return Spans([(ALWAYS, ends)]) if ends > question.now else None

    return bind


def _requested(question: Question, zones: Zones, begins: Begins) -> Timed | None:
    """In the latest entry with this person they asked to be contacted; of several at one instant,
    in each.
    """
    latest = [(at, e) for at, e in question.history if e.person == question.person]
    if not latest:
        return None
    last = max(at for at, _ in latest)
    return HOLDS if all(e.requests_contact for at, e in latest if at == last) else None


def _used_by_borrower(question: Question, zones: Zones, begins: Begins) -> Timed | None:
    """Something about this debt has come in from this very number or address."""
    here = question.point_id
    used = here is not None and any(
        entry.direction == "inbound"
        and entry.contact_point == here
        and question.about_this_debt(entry)
        for _, entry in question.history
    )
    return HOLDS if used else None


def _within(span: Span) -> Lift:
    """Not more than this has elapsed since the stop began, wherever it may have begun."""

    def bind(question: Question, zones: Zones, begins: Begins) -> Timed | None:
        if not begins or min(begins) == ALWAYS:
            return None
        return Spans([(max(begins), min(begins) + span + 1)])

    return bind


def _fewer_than(most: int) -> Lift:
    """Since the stop began fewer than `most` contacts of this class went to this person."""

    def bind(question: Question, zones: Zones, begins: Begins) -> Timed | None:
        if not begins:
            return None
        since = min(begins)
        sent = sum(
            at >= since
            and entry.direction == "outbound"
            and entry.class_ == question.contact.class_
            and entry.person == question.person
            for at, entry in question.history
        )
        return HOLDS if sent < most else None

    return bind
