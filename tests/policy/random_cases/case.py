"""Random rules and facts together, as a strategy."""

from typing import Any

from hypothesis import strategies as st

from tests.policy.random_cases.draw import NIGHTS, Map, Times
from tests.policy.random_cases.facts import facts
from tests.policy.random_cases.hours import calendar
from tests.policy.random_cases.rules import KINDS, rule


@st.composite
def cases(draw: Any, kinds: tuple[str, ...] = tuple(KINDS), most_rules: int = 4) -> Map:
    """A case without expectation: rules, calendars, facts."""
    night, names = draw(st.sampled_from(NIGHTS))
    t = Times(draw, night)
    rules = [rule(t, f"r{i}", list(kinds)) for i in range(t.number(1, most_rules))]
    return {"rules": rules, "calendars": {"cal": calendar(t)}, "facts": facts(t, names)}
