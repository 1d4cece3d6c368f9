"""What a message must not contain: threats, banned wording, a stale amount, the debt where others
can see it.
"""

import re
from typing import Annotated, Literal

from services.events.words import Label
from services.policy.blocks.bars import Bar, Standing
from services.policy.blocks.durations import Calendars
from services.policy.blocks.sentences import listed
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Check, Invalid
from services.policy.words import as_text


def _patterns_problem(patterns: tuple[str, ...]) -> str | None:
    if not patterns:
        return "is empty; leave the key out"
    for pattern in patterns:
        try:
            re.compile(pattern, re.IGNORECASE)
        except re.error as error:
            return f"{pattern!r} is not a regular expression: {error}"
    return None


class ContentMustNot(Rule, frozen=True, kw_only=True):
    """At least one of the four."""

    labels: frozenset[Label] = frozenset()
    patterns: Annotated[tuple[str, ...], Check(_patterns_problem)] = ()
    must_match: Literal["amount"] | None = None
    states_debt: Literal[True] | None = None


def content_must_not(rule: ContentMustNot, calendars: Calendars) -> Bind:
    """Asked only when there is content; raises Invalid if the rule bars nothing."""
    if not (rule.labels or rule.patterns or rule.must_match or rule.states_debt):
        raise Invalid(("labels",), "is required, or patterns, must_match or states_debt")
    labels, amounts, debt = rule.labels, rule.must_match, rule.states_debt
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in rule.patterns]

    def bind(question: Question, zones: Zones) -> Bar | None:
        content = question.contact.content
        if content is None:
            return None
        found = sorted(labels.intersection(content.labels))
        if found:
            named = listed([as_text(label) for label in found])
            return Standing("content_prohibited", f"The message contains what is banned: {named}.")
        if any(pattern.search(content.text) for pattern in patterns):
            return _WORDING
        # An amount that can't be compared with a balance we don't know may be wrong.
        if amounts and content.amount is not None and content.amount != question.facts.debt.balance:
            return _STALE
        if debt and content.states_debt:
            return _STATES_DEBT
        return None

    return bind


_WORDING = Standing("content_prohibited", "The message contains wording that is banned.")
_STALE = Standing("stale_content", "The amount in the message is not the amount due now.")
_STATES_DEBT = Standing(
    "third_party_disclosure", "The message says that there is a debt where others may learn of it."
)
