"""When is contact possible, and why not: the open and closed intervals of a range, to the second.

Pure: rules, facts and the range are arguments.  Only the clock moves, as in a search for `until`:
balance, days past due and content stay what they are at the beginning; what the facts say will
begin or end in the range begins and ends there.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import msgspec

from services.policy.blocks.bars import Bar
from services.policy.blocks.localtime import MIDNIGHT, instant, seconds
from services.policy.decide import Allow, Defer, Reason, decide
from services.policy.facts import Facts
from services.policy.question import Question
from services.policy.ruleset import RuleSet

HELD = "held_pack"


class Interval(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Half-open.  `reasons` empty: contact is possible; else every rule that bars it, the first
    being the one to name.  `until`: the deferral instant, None if time alone does not cure it.
    """

    start: datetime
    end: datetime
    reasons: tuple[Reason, ...] = ()
    until: datetime | None = None

    @property
    def open(self) -> bool:
        return not self.reasons


class Change(NamedTuple):
    """From this instant on, inside the range, these rules are asked.  None: no pack of the
    borrower's place is active then, and whatever is due is held.
    """

    at: datetime
    rules: RuleSet | None


def intervals(
    rules: RuleSet | None,
    facts: Facts,
    start: datetime,
    end: datetime,
    later: Sequence[Change] = (),
) -> list[Interval]:
    """The whole range, in order and without a gap; neighbors differ in the rules that bar, or in
    what they say (code).  `rules` are those of its beginning.  Raises FactsError.
    """
    found: list[Interval] = []
    for (first, asked), (last, _) in pairwise((Change(start, rules), *later, Change(end, None))):
        for piece in _under(asked, facts, first, last) if asked else [_held(first, last)]:
            if found and _same(found[-1], piece):
                found[-1] = msgspec.structs.replace(found[-1], end=piece.end)
            else:
                found.append(piece)
    return found


def _under(rules: RuleSet, facts: Facts, start: datetime, end: datetime) -> Iterator[Interval]:
    for first, last in _pieces(facts, start, end):
        for t, after in _steps(rules, facts, first, last):
            said = decide(rules, facts, instant(t))
            yield Interval(
                start=instant(t),
                end=instant(after),
                reasons=() if isinstance(said, Allow) else said.reasons,
                until=said.until if isinstance(said, Defer) else None,
            )


def _held(start: datetime, end: datetime) -> Interval:
    """Time alone does not cure it: a person must put a pack in force."""
    reason = Reason(
        rule=None,
        pack=None,
        kind=None,
        code=HELD,
        effect="suppress",
        until=None,
        cite=(),
        presumption=False,
        says="no pack of the borrower's place is active",
    )
    return Interval(start=start, end=end, reasons=(reason,))


def _pieces(facts: Facts, start: datetime, end: datetime) -> Iterator[tuple[int, int]]:
    """The range cut where the facts themselves change: an entry, a notice, a stop received."""
    first, last = seconds(start), seconds(end)
    cuts = {t for at in _instants(facts) if first < (t := seconds(at)) < last}
    edges = [first, *sorted(cuts), last]
    yield from pairwise(edges)


def _instants(facts: Facts) -> Iterator[datetime]:
    listed = (
        *facts.history,
        *facts.stops,
        *facts.consents,
        *facts.preferences,
        *facts.notices,
        *facts.duties,
    )
    for fact in listed:
        for name in fact.__struct_fields__:
            value = getattr(fact, name)
            if isinstance(value, datetime):
                yield value


def _steps(rules: RuleSet, facts: Facts, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Stretches within which no rule changes its answer and no new day begins: a fact that is told
    by its date, such as `checked_on`, may begin with it.
    """
    question = Question(facts, instant(first))
    zones = {*question.zones, *rules.fixed_zones}
    bars: list[Bar] = [
        bar
        for rule in rules.applying(question)
        if rule.blocks and (bar := rule.bar(question)) is not None
    ]
    t = first
    while t < last:
        ahead = [bar.changes(t) for bar in bars]
        ahead += [zone.next_mark(t, MIDNIGHT) for zone in zones]
        after = min((*ahead, last))
        yield t, after
        t = after


def _same(a: Interval, b: Interval) -> bool:
    return _causes(a) == _causes(b)


def _causes(interval: Interval) -> list[tuple[str | None, str]]:
    return sorted((reason.rule or "", reason.code) for reason in interval.reasons)
