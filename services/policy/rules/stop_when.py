"""No contact while a stop is live: an opt-out, a dispute, a lawyer, a promise, nothing due."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Struct

from services.policy import words
from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Objection, Spans, Timed
from services.policy.blocks.conditions import lift
from services.policy.blocks.durations import Calendars, Duration
from services.policy.blocks.localtime import NEVER
from services.policy.blocks.period import Period, ReceivedWithin
from services.policy.blocks.sentences import free_again
from services.policy.blocks.stops import (
    CODES,
    Life,
    covering,
    life,
    lifted,
    needs_zone,
    possible_life,
)
from services.policy.blocks.zones import EVERY_CANDIDATE, ZonePolicy, Zones
from services.policy.facts import Stop
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Path, ReadBy, one_of, read


class Lasts(Struct, frozen=True, kw_only=True):
    duration: Duration
    from_basis: bool = False  # counted from `basis_ended`, not from the stop's beginning


def _read_fact(value: object, path: Path) -> frozenset[words.StopFact]:
    if isinstance(value, str):
        return frozenset({read(words.StopFact, value, path)})  # type: ignore[arg-type]
    return read(frozenset[words.StopFact], value, path)


def _read_lasts(value: object, path: Path) -> Lasts:
    if not isinstance(value, Mapping):
        return Lasts(duration=Duration.read(value, path))
    start = one_of(value.get("from", "began"), ("began", "basis_ended"), (*path, "from"))
    rest = {key: part for key, part in value.items() if key != "from"}
    return Lasts(duration=Duration.read(rest, path), from_basis=start == "basis_ended")


class StopWhen(Rule, frozen=True, kw_only=True):
    fact: Annotated[frozenset[words.StopFact], ReadBy(_read_fact)]
    form: frozenset[words.Form] | None = None
    ignore_scope: frozenset[words.ScopeKey] = frozenset()
    lasts: Annotated[Lasts, ReadBy(_read_lasts)] | None = None
    received_within: ReceivedWithin | None = None
    effect: words.Effect = "suppress"
    zones: ZonePolicy = EVERY_CANDIDATE


def stop_when(rule: StopWhen, calendars: Calendars) -> Bind:
    """Raises UnknownCalendar."""
    written = rule.lasts
    lasts = written.duration.length(calendars, inclusive=True) if written else None
    from_basis = written is not None and written.from_basis
    period = Period(rule.received_within, calendars) if rule.received_within else None
    lifts = [lift(condition) for condition in rule.unless]
    form, kinds, ignored = rule.form, rule.fact, rule.ignore_scope
    derived = "nothing_due" in kinds
    waits = rule.effect == "defer"

    def lives(stop: Stop, question: Question, zones: Zones) -> list[Life] | None:
        """When the stop lives, in each zone in which it counts; None if that can't be told without
        a zone.
        """
        dated = needs_zone(stop, lasts, from_basis=from_basis)
        if period is not None and period.compares_dates(stop, question):
            return (
                [
                    life(stop, zone, lasts, from_basis=from_basis)
                    for zone in zones
                    if period.includes(stop, question, zone)
                ]
                if zones
                else None
            )
        if not dated:
            return [life(stop, None, lasts, from_basis=from_basis)]
        return [life(stop, z, lasts, from_basis=from_basis) for z in zones] if zones else None

    def bind(question: Question, zones: Zones) -> Bar | None:
        if not derived and not question.facts.stops:
            return None
        live: list[LiveStop] = []
        for stop in covering(question, kinds, ignored):
            # A stop in a form nobody noted may have come in this one.
            if form is not None and stop.form is not None and stop.form not in form:
                continue
            if lifted(stop, question.now):
                continue
            found = lives(stop, question, zones)
            known = [possible_life(stop)] if found is None else found
            spans = [(each.begins, each.ends) for each in known if each.ends > question.now]
            dated_start = found is None and stop.from_ is not None
            begins = None if dated_start else tuple(each.begins for each in known)
            if not spans:
                continue
            lifting = [timed for one in lifts if (timed := one(question, zones, begins))]
            live.append(LiveStop(stop.kind, Spans(spans), lifting, known=found is not None))
        return Stopped(live, zones, waits) if live else None

    return bind


class LiveStop:
    """One stop: blocks while it lives and nothing lifts the rule for it."""

    __slots__ = ("_lifting", "_spans", "kind", "known")

    def __init__(self, kind: str, spans: Spans, lifting: list[Timed], *, known: bool) -> None:
        self.kind = kind
        self.known = known
        self._spans = spans
        self._lifting = lifting

    def blocks(self, t: int) -> bool:
        return self._spans.holds(t) and not any(timed.holds(t) for timed in self._lifting)

    def changes(self, t: int) -> int:
        return min(self._spans.changes(t), *(timed.changes(t) for timed in self._lifting), NEVER)


class Stopped:
    """Blocks while one of the stops does."""

    __slots__ = ("_live", "_waits", "_zones")

    def __init__(self, live: list[LiveStop], zones: Zones, waits: bool) -> None:
        self._live = live
        self._zones = zones
        self._waits = waits

    def blocks(self, t: int) -> bool:
        return any(stop.blocks(t) for stop in self._live)

    def changes(self, t: int) -> int:
        return min(stop.changes(t) for stop in self._live)

    def objection(self, t: int) -> Objection:
        blocking = self._blocking(t)
        kind = min((stop.kind for stop in blocking if stop.known), default=None)
        if kind is None:
            return ZONE_UNKNOWN.objection(t)
        curable = self._waits and all(stop.known for stop in blocking)
        return Objection(CODES[kind], curable, lambda until: self._says(kind, curable, t, until))

    def _says(self, kind: str, curable: bool, t: int, until: int | None) -> str:
        sentence = _SENTENCES[kind]
        return f"{sentence} {free_again(self._zones, t, until)}" if curable else sentence

    def _blocking(self, t: int) -> list[LiveStop]:
        return [stop for stop in self._live if stop.blocks(t)]


_SENTENCES = {
    "opt_out": "The person asked us to stop using this channel, address or kind of message.",
    "cease": "The person asked not to be contacted any more.",
    "refusal_to_pay": "The person refused to pay, which ends contact about the debt.",
    "attorney": "A lawyer acts for the person.",
    "representative": "A debt adviser or other representative acts for the person.",
    "dispute": "The debt is disputed, and the dispute has not been answered.",
    "complaint": "A complaint is open.",
    "bankruptcy": "A bankruptcy petition, stay or adjudication protects the person.",
    "discharge": "The debt was discharged in bankruptcy.",
    "deceased": "The person is recorded as having died.",
    "moratorium": "A moratorium (breathing space) is running.",
    "crisis_moratorium": "A moratorium for a mental health crisis is running.",
    "debt_review": "The debt is under statutory review or counselling.",
    "hardship": "A deferral for hardship has been agreed.",
    "plan_in_preparation": "A repayment plan is being prepared.",
    "occasion": "A sensitive occasion is recorded, and contact rests until it is over.",
    "promise": "The borrower named the day on which they will pay or want to hear from us.",
    "wrong_party": "This number or address belongs to somebody else.",
    "no_work_contact": "The person may not be contacted at work.",
    "inconvenient_place": "The borrower asked not to be reached at this place.",
    "nothing_due": "Nothing is due.",
}


def no_stop(rule: StopWhen, question: Question) -> bool:
    """No stop is recorded, and none follows from the balance."""
    if question.facts.stops:
        return False
    balance = question.facts.debt.balance
    return "nothing_due" not in rule.fact or balance is None or balance > 0
