"""Closed lists that stand in two places say the same, and every table over one names all of it."""

from enum import StrEnum
from typing import Any, get_args

import pytest

from services.events import words as wire
from services.policy import words
from services.policy.blocks.outcomes import UNITS


@pytest.mark.parametrize(
    ("enum", "literal"),
    [
        (wire.Role, words.Role),
        (wire.Product, words.Product),
        (wire.Basis, words.Basis),
    ],
    ids=["role", "product", "basis"],
)
def test_an_event_and_a_rule_have_the_same_words_in_the_same_order(
    enum: type[StrEnum], literal: Any
) -> None:
    assert tuple(enum) == get_args(literal)


@pytest.mark.parametrize(
    ("enum", "literal"),
    [(wire.Channel, words.Channel), (wire.PointKind, words.PointKind)],
    ids=["channel", "kind of contact point"],
)
def test_what_a_machine_can_send_to_is_known_to_the_rules(
    enum: type[StrEnum], literal: Any
) -> None:
    assert set(enum) < set(get_args(literal))


def test_every_unit_says_which_outcomes_it_counts() -> None:
    assert set(UNITS) == set(words.UNIT_NAMES)
    assert frozenset().union(*UNITS.values()) == set(get_args(words.Outcome)) - {"cancelled"}
