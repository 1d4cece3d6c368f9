"""Packs compiled once into the rules that are asked: immutable, hashed, every rule a closure."""

import hashlib
import json
from collections.abc import Iterable, Mapping

from services.policy.blocks.bars import Bar, Spans, Timed
from services.policy.blocks.calendars import Calendar
from services.policy.blocks.conditions import Lift, lift
from services.policy.blocks.durations import UnknownCalendar
from services.policy.blocks.localtime import ALWAYS, DAY, NEVER, Zone, day_number
from services.policy.blocks.scope import kind_of_contact, scope_key, tests_of
from services.policy.blocks.stops import covering, life, needs_zone, possible_life
from services.policy.blocks.zones import EVERY_CANDIDATE, Zones, chosen
from services.policy.pack import Pack, PackError, Problem
from services.policy.question import Question
from services.policy.rule import Effective, Rule
from services.policy.rules import RULES
from services.policy.strict import Invalid

Days = tuple[int, int]  # first and last local date


class CompiledRule:
    """One rule of one pack, ready to be asked."""

    __slots__ = (
        "_bind",
        "_effective",
        "_lifts",
        "_plain",
        "_rule",
        "_scope",
        "_silent",
        "_stops",
        "_tests",
        "_zones",
        "blocks",
        "cite",
        "code",
        "id",
        "kind",
        "pack",
        "presumption",
        "zone_policy",
    )

    def __init__(
        self, rule: Rule, pack: Pack, calendars: Mapping[str, Calendar], *, shadow: bool
    ) -> None:
        kind = RULES[rule.kind]
        self.id, self.kind, self.pack = rule.id, rule.kind, pack.id
        self.cite, self.code, self.presumption = rule.cite, rule.code, rule.presumption
        self.blocks = rule.severity == "block" and not shadow
        self.zone_policy = getattr(rule, "zones", EVERY_CANDIDATE)
        self._zones = chosen(self.zone_policy)
        self._scope = rule.applies
        self._tests = tests_of(rule.applies, unknown=True)
        self._stops = rule.applies.stop
        self._effective = _common(rule.effective, pack.effective)
        self._lifts: list[Lift] = [] if kind.judges_unless else [lift(c) for c in rule.unless]
        self._plain = not (self._stops or self._effective or self._lifts)
        self._bind = kind.compile(rule, calendars)
        self._rule, self._silent = rule, kind.silent

    def asks(self, key: str) -> bool:
        """Does its scope compare this fact?"""
        return getattr(self._scope, key) is not None

    def applies(self, question: Question) -> bool:
        """Is the contact in its scope? Its `stop`, which moves with the clock, is
        left to the bar."""
        return all(test(question) for test in self._tests)

    def silent(self, question: Question) -> bool:
        """Has it nothing to look at in any contact of this kind?"""
        return self._silent(self._rule, question)

    def bar(self, question: Question) -> Bar | None:
        """What the rule has to say about this contact, at `now` and later; None if it can block it
        at no hour.
        """
        zones = self._zones(question)
        bar = self._bind(question, zones)
        if bar is None or self._plain:
            return bar
        asked: list[Timed] = []
        if self._effective is not None:
            asked.append(_in_force(self._effective, zones))
        if self._stops is not None:
            asked.append(_stopped(self._stops, question, zones))
        return Guarded(bar, asked, self._lifts, question, zones)


class Guarded:
    """A bar that counts only while the rule is in force and applies, and nothing lifts it."""

    __slots__ = (
        "_asked",
        "_bar",
        "_lifting",
        "_lifts",
        "_question",
        "_zones",
        "objection",
    )

    def __init__(
        self, bar: Bar, asked: list[Timed], lifts: list[Lift], question: Question, zones: Zones
    ) -> None:
        self._bar = bar
        self._asked = asked
        self._lifts = lifts
        self._lifting: list[Timed] | None = None
        self._question = question
        self._zones = zones
        self.objection = bar.objection

    def blocks(self, t: int) -> bool:
        # Loops, for all() and any() over generators cost three times as much.
        if not self._bar.blocks(t):
            return False
        for timed in self._asked:
            if not timed.holds(t):
                return False
        for timed in self._bound():  # noqa: SIM110
            if timed.holds(t):
                return False
        return True

    def changes(self, t: int) -> int:
        earliest = self._bar.changes(t)
        if not self._bar.blocks(t):
            return earliest  # until then nothing is barred that could be lifted
        for timed in (*self._asked, *self._bound()):
            earliest = min(earliest, timed.changes(t))
        return earliest

    def quiet(self, t: int) -> str | None:
        """Why the rule says nothing at `t` though its kind alone would block: `not_in_force`, or
        `lifted` by a condition; None if it has no such reason.
        """
        if not self._bar.blocks(t):
            return None
        if any(not timed.holds(t) for timed in self._asked):
            return "not_in_force"
        return "lifted" if any(timed.holds(t) for timed in self._bound()) else None

    def _bound(self) -> list[Timed]:
        """The conditions for this question; looked into only when the bar objects."""
        if self._lifting is None:
            self._lifting = [
                timed
                for one in self._lifts
                if (timed := one(self._question, self._zones, ())) is not None
            ]
        return self._lifting


class RuleSet:
    """All rules of all packs. Equal content has the same `version`, whatever the order of packs and
    rules.
    """

    __slots__ = (
        "_applying",
        "_asked",
        "_by_days",
        "_by_sequence",
        "fixed_zones",
        "packs",
        "rules",
        "version",
    )

    def __init__(
        self, packs: tuple[Pack, ...], rules: tuple[CompiledRule, ...], version: str
    ) -> None:
        self.packs = packs
        self.rules = rules
        self.version = version
        self._by_sequence = any(rule.asks("sequence") for rule in rules)
        self._by_days = any(rule.asks("days_past_due") for rule in rules)
        self._applying: dict[tuple[object, ...], tuple[CompiledRule, ...]] = {}
        self._asked: dict[tuple[object, ...], tuple[CompiledRule, ...]] = {}
        self.fixed_zones: tuple[Zone, ...] = tuple(
            {
                fixed
                for rule in rules
                if rule.zone_policy not in ("every_candidate", "best_evidence")
                for fixed in chosen(rule.zone_policy)(None)  # type: ignore[arg-type]
            }
        )

    def applying(self, question: Question) -> tuple[CompiledRule, ...]:
        """The rules whose scope the contact is in; looked up, for few kinds of contact are many."""
        return self._within(question, self._scope_key(question))

    def asked(self, question: Question) -> tuple[CompiledRule, ...]:
        """Of those, the rules that have something to look at; the others make no bar."""
        scope = self._scope_key(question)
        key = kind_of_contact(question, scope)
        found = self._asked.get(key)
        if found is None:
            if len(self._asked) > _REMEMBERED:
                self._asked.clear()
            within = self._within(question, scope)
            found = self._asked[key] = tuple(r for r in within if not r.silent(question))
        return found

    def _scope_key(self, question: Question) -> tuple[object, ...]:
        return scope_key(question, sequence=self._by_sequence, days=self._by_days)

    def _within(self, question: Question, key: tuple[object, ...]) -> tuple[CompiledRule, ...]:
        found = self._applying.get(key)
        if found is None:
            if len(self._applying) > _REMEMBERED:
                self._applying.clear()
            found = tuple(rule for rule in self.rules if rule.applies(question))
            self._applying[key] = found
        return found


_REMEMBERED = 10_000


def compile_rules(packs: Iterable[Pack], shadow: Iterable[Pack] = ()) -> RuleSet:
    """The set of rules of these packs; those in `shadow` only report. Raises PackError: the whole
    set is refused.
    """
    active, watching = tuple(packs), tuple(shadow)
    every = (*active, *watching)
    if not every:
        raise PackError(Problem("(no file)", 1, "", "", "no pack at all; name at least one"))
    problems = _twice(every)
    compiled: list[CompiledRule] = []
    for pack in every:
        calendars = _visible(pack, every)
        for i, rule in enumerate(pack.rules):
            try:
                compiled.append(CompiledRule(rule, pack, calendars, shadow=pack in watching))
            except UnknownCalendar as unknown:
                known = ", ".join(sorted(calendars)) or "none is defined"
                text = f"unknown calendar {str(unknown)!r}; known here: {known}"
                wrong = Invalid(("rules", i, "calendar"), text)
                problems.append(pack.origin.problem(wrong, rule.id))
    if problems:
        raise PackError(*problems)
    compiled.sort(key=lambda rule: (rule.pack, rule.id))
    return RuleSet(every, tuple(compiled), _version(active, watching))


def _twice(packs: tuple[Pack, ...]) -> list[Problem]:
    found: list[Problem] = []
    seen: dict[str, str] = {}
    names: set[str] = set()
    for pack in packs:
        if pack.id in names:
            wrong = Invalid(("pack",), f"{pack.id!r} is loaded twice; name each pack once")
            found.append(pack.origin.problem(wrong))
        names.add(pack.id)
        for i, rule in enumerate(pack.rules):
            if rule.id in seen:
                text = f"{rule.id!r} is used twice, also in pack {seen[rule.id]}; rename one"
                found.append(pack.origin.problem(Invalid(("rules", i, "id"), text), rule.id))
            seen[rule.id] = pack.id
    return found


def _visible(pack: Pack, packs: tuple[Pack, ...]) -> dict[str, Calendar]:
    """The calendars a pack's rules may name: those of all packs, its own first. A name that two
    other packs give different dates belongs to neither.
    """
    shared: dict[str, Calendar] = {}
    disputed: set[str] = set()
    for other in packs:
        for name, calendar in other.calendars.items():
            if shared.setdefault(name, calendar) != calendar:
                disputed.add(name)
    return {k: v for k, v in shared.items() if k not in disputed} | dict(pack.calendars)


def _version(active: tuple[Pack, ...], watching: tuple[Pack, ...]) -> str:
    content = [
        [
            {**pack.content, "rules": sorted(pack.content["rules"], key=lambda rule: rule["id"])}  # type: ignore[call-overload]
            for pack in sorted(group, key=lambda pack: pack.id)
        ]
        for group in (active, watching)
    ]
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _common(own: Effective | None, pack: Effective | None) -> Days | None:
    """The local dates inside both; None if neither limits them."""
    if own is None and pack is None:
        return None
    limits = [each for each in (own, pack) if each is not None]
    first = max([day_number(e.from_) for e in limits if e.from_ is not None], default=ALWAYS)
    last = min([day_number(e.to) for e in limits if e.to is not None], default=NEVER)
    return first, last


def _in_force(days: Days, zones: Zones) -> Spans:
    """While the local date is inside, in any zone; without a zone the date in UTC."""
    first, last = days
    if first > last:
        return Spans([])
    starts = [zone.starts for zone in zones] or [lambda day: day * DAY]
    return Spans(
        [
            (
                start(first) if first != ALWAYS else ALWAYS,
                start(last + 1) if last != NEVER else NEVER,
            )
            for start in starts
        ]
    )


def _stopped(kinds: frozenset[str], question: Question, zones: Zones) -> Spans:
    """While a stop of these kinds that covers the contact is live, in any zone; if that can't be
    told without a zone, as long as it may be.
    """
    spans: list[tuple[int, int]] = []
    for stop in covering(question, kinds):
        if not zones and needs_zone(stop):
            lives = [possible_life(stop)]
        else:
            lives = [life(stop, zone) for zone in zones or (None,)]
        spans.extend((each.begins, each.ends) for each in lives)
    return Spans(spans)
