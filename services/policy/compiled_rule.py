"""One rule of one pack, made ready to be asked: every part of it a closure."""

from collections.abc import Mapping

from services.policy.blocks.bars import Bar, Timed
from services.policy.blocks.calendars import Calendar
from services.policy.blocks.conditions import Lift, lift
from services.policy.blocks.scope import tests_of
from services.policy.blocks.zones import EVERY_CANDIDATE, chosen
from services.policy.guarded import Guarded, common_dates, in_force, stopped
from services.policy.pack import Pack
from services.policy.question import Question
from services.policy.rule import Rule
from services.policy.rules import RULES


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
        self._effective = common_dates(rule.effective, pack.effective)
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
            asked.append(in_force(self._effective, zones))
        if self._stops is not None:
            asked.append(stopped(self._stops, question, zones))
        return Guarded(bar, asked, self._lifts, question, zones)
