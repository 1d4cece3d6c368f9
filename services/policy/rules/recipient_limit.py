"""Only these recipients may be contacted about the debt; others narrowly, and without being told of
it.
"""

from typing import Annotated

from msgspec import Struct, field

from services.policy import words
from services.policy.blocks.bars import Bar, Standing
from services.policy.blocks.durations import Calendars, counted
from services.policy.blocks.outcomes import UNITS
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Check
from services.policy.values import Count


class NarrowException(Struct, frozen=True, kw_only=True):
    recipients: frozenset[words.Recipient]
    purpose: frozenset[words.Purpose] | None = None
    class_: frozenset[words.Class] | None = field(default=None, name="class")
    only_if_unreachable: bool = False
    max_contacts: Count | None = None


def _some(exceptions: tuple[NarrowException, ...]) -> str | None:
    return None if exceptions else "is empty; leave the key out"


class RecipientLimit(Rule, frozen=True, kw_only=True):
    allowed: frozenset[words.Recipient]
    exceptions: Annotated[tuple[NarrowException, ...], Check(_some)] = ()


def recipient_limit(rule: RecipientLimit, calendars: Calendars) -> Bind:
    allowed = rule.allowed

    def bind(question: Question, zones: Zones) -> Bar | None:
        if question.contact.recipient in allowed:
            return None
        fitting = [each for each in rule.exceptions if _fits(each, question)]
        if not fitting:
            return _PROHIBITED
        content = question.contact.content
        if content is None or content.states_debt is not False:
            return _DISCLOSURE
        if any(_has_room(each, question) for each in fitting):
            return None
        most = max(each.max_contacts or 0 for each in fitting)
        return Standing("third_party_limit", _LIMIT.format(counted(most, "time")))

    return bind


def _fits(exception: NarrowException, question: Question) -> bool:
    contact = question.contact
    return (
        contact.recipient in exception.recipients
        and (exception.purpose is None or contact.purpose in exception.purpose)
        and (exception.class_ is None or contact.class_ in exception.class_)
        and (question.facts.borrower.unreachable or not exception.only_if_unreachable)
    )


def _has_room(exception: NarrowException, question: Question) -> bool:
    """Not contacted too often yet, or they asked to be contacted again in the latest entry (if
    several have its instant: in each).
    """
    if exception.max_contacts is None:
        return True
    with_person = [past for past in question.history if past[1].person == question.person]
    made = sum(
        entry.direction == "outbound" and entry.outcome in UNITS["successful"]
        for _, entry in with_person
    )
    if made < exception.max_contacts:
        return True
    last = max((at for at, _ in with_person), default=None)
    return last is not None and all(e.requests_contact for at, e in with_person if at == last)


_PROHIBITED = Standing(
    "third_party_prohibited",
    "This rule does not allow contact with such a recipient about the debt.",
)
_DISCLOSURE = Standing(
    "third_party_disclosure",
    "Such a recipient may be contacted only with content known not to say or show a debt.",
)
_LIMIT = "Such a recipient may be contacted {} only, and has not asked to be contacted again."


def among_allowed(rule: RecipientLimit, question: Question) -> bool:
    """The recipient is one of those it allows."""
    return question.contact.recipient in rule.allowed
