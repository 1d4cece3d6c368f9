"""The properties of every decision once more, on thousands of cases from seeds.

`DUNWELL_CASES=100000 make test ARGS="tests/policy/test_decide_at_length.py"` is the long run.
"""

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.policy import test_decide_properties as properties
from tests.policy.random_cases import seeded_case

CASES = int(os.environ.get("DUNWELL_CASES", "1000"))
FIRST = int(os.environ.get("DUNWELL_FIRST_CASE", "0"))

cap_case = partial(seeded_case, kinds=("frequency_cap", "cooldown_after"))
window_case = partial(seeded_case, kinds=("contact_window",))


def more_case(seed: int) -> dict[str, Any]:
    """Rules to be added: of other seeds than those they are added to."""
    return seeded_case(seed + 1_000_000_000, most_rules=2)


# Each property with what it is asked about.
PROPERTIES: dict[Callable[..., None], dict[str, Callable[[int], dict[str, Any]]]] = {
    properties.test_a_rule_that_is_not_asked_has_nothing_to_say: {"case": seeded_case},
    properties.test_a_deferral_is_sound_and_minimal_and_a_suppression_is_not_cured_by_time: {
        "case": seeded_case
    },
    properties.test_asked_again_at_its_own_instant_a_deferral_is_allowed: {"case": seeded_case},
    properties.test_another_rule_never_turns_a_refusal_into_an_allow: {
        "case": seeded_case,
        "more": more_case,
    },
    properties.test_the_order_of_rules_and_packs_never_matters: {"case": seeded_case},
    properties.test_deciding_twice_gives_the_same: {"case": seeded_case},
    properties.test_one_more_contact_in_the_history_never_loosens_a_cap: {"case": cap_case},
    properties.test_until_the_instant_it_names_an_allow_stays_an_allow: {"case": seeded_case},
    properties.test_on_no_night_is_a_window_open_longer_than_its_hours_say: {"case": window_case},
}


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("holds", PROPERTIES, ids=lambda holds: holds.__name__[5:])
def test_at_length(holds: Callable[..., None]) -> None:
    made = PROPERTIES[holds]
    ask = holds.hypothesis.inner_test  # type: ignore[attr-defined]
    for seed in range(FIRST, FIRST + CASES):
        try:
            ask(**{name: make(seed) for name, make in made.items()})
        except BaseException as error:
            error.add_note(f"seed {seed}: DUNWELL_FIRST_CASE={seed} DUNWELL_CASES=1 asks it alone")
            raise
