"""Random rules and facts together: as a strategy, or from a seed."""

from typing import Any

from hypothesis import strategies as st

from tests.policy.random_cases.draw import NIGHTS, Map, Searching, Seeded, Source, Times
from tests.policy.random_cases.facts import facts
from tests.policy.random_cases.hours import calendar
from tests.policy.random_cases.rules import KINDS, rule

ALL_KINDS = tuple(KINDS)


@st.composite
def cases(draw: Any, kinds: tuple[str, ...] = ALL_KINDS, most_rules: int = 4) -> Map:
    """A case without expectation: rules, calendars, facts."""
    return _case(Searching(draw), kinds, most_rules)


def seeded_case(seed: int, kinds: tuple[str, ...] = ALL_KINDS, most_rules: int = 4) -> Map:
    """The same of a seed."""
    return _case(Seeded(seed), kinds, most_rules)


def _case(source: Source, kinds: tuple[str, ...], most_rules: int) -> Map:
    night, names = source.one(NIGHTS)
    t = Times(source, night)
    rules = [rule(t, f"r{i}", list(kinds)) for i in range(t.number(1, most_rules))]
    return {"rules": rules, "calendars": {"cal": calendar(t)}, "facts": facts(t, names)}
