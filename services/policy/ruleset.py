"""Packs compiled once into the rules that are asked: immutable and hashed."""

import hashlib
import json
from collections.abc import Iterable

from services.policy.blocks.calendars import Calendar
from services.policy.blocks.durations import UnknownCalendar
from services.policy.blocks.localtime import Zone
from services.policy.blocks.scope import kind_of_contact, scope_key
from services.policy.blocks.zones import chosen
from services.policy.compiled_rule import CompiledRule
from services.policy.pack import Pack, PackError, Problem
from services.policy.question import Question
from services.policy.strict import Invalid

# So many kinds of contact are remembered with their rules; there are few, unless somebody makes
# them up.
_REMEMBERED = 10_000


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
