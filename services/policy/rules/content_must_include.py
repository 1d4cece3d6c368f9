"""What a message must contain: elements such as who is writing, and a way to opt out."""

from services.events.words import Element, OptOut
from services.policy.blocks.bars import Bar, Standing
from services.policy.blocks.durations import Calendars
from services.policy.blocks.sentences import listed
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Invalid
from services.policy.words import as_text


class ContentMustInclude(Rule, frozen=True, kw_only=True):
    """At least one of the two."""

    elements: frozenset[Element] = frozenset()
    opt_out: frozenset[OptOut] | None = None


def content_must_include(rule: ContentMustInclude, calendars: Calendars) -> Bind:
    """Asked only when there is content; raises Invalid if the rule requires nothing."""
    if not rule.elements and rule.opt_out is None:
        raise Invalid(("elements",), "is required, unless there is `opt_out`")
    elements, ways = rule.elements, rule.opt_out

    def bind(question: Question, zones: Zones) -> Bar | None:
        content = question.contact.content
        if content is None:
            return None
        missing = sorted(elements.difference(content.elements))
        if missing:
            named = listed([as_text(element) for element in missing])
            return Standing("content_missing", f"The message lacks what it must contain: {named}.")
        if ways is not None and content.opt_out not in ways:
            accepted = listed([as_text(way) for way in sorted(ways)])
            return Standing(
                "content_missing",
                f"The message lacks a way to opt out that this rule accepts ({accepted}).",
            )
        return None

    return bind


def no_content(rule: Rule, question: Question) -> bool:
    """Not rendered yet."""
    return question.contact.content is None
