"""No contact while a duty of ours is overdue: an unanswered complaint, a notice not sent."""

from datetime import datetime

from services.policy import words
from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Objection, Spans
from services.policy.blocks.durations import Calendars, Duration
from services.policy.blocks.localtime import NEVER, day_number, seconds
from services.policy.blocks.zones import EVERY_CANDIDATE, ZonePolicy, Zones
from services.policy.facts import Duty
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.words import as_text


class Obligation(Rule, frozen=True, kw_only=True):
    duty: words.DutyKind
    due: Duration
    zones: ZonePolicy = EVERY_CANDIDATE


def obligation(rule: Obligation, calendars: Calendars) -> Bind:
    """Raises UnknownCalendar."""
    length = rule.due.length(calendars, inclusive=False)

    def overdue(duty: Duty, zones: Zones) -> int:
        """The instant from which it is overdue somewhere; only a start or a length in local dates
        needs zones.
        """
        if isinstance(duty.since, datetime):
            start = seconds(duty.since)
            return min([length.end(start, zone) for zone in zones or (None,)])
        day = day_number(duty.since)
        return min([length.end_from_day(day, zone) for zone in zones])

    def bind(question: Question, zones: Zones) -> Bar | None:
        spans: list[tuple[int, int]] = []
        for duty in question.facts.duties:
            if duty.kind != rule.duty:
                continue
            done = NEVER if duty.done is None else seconds(duty.done)
            if done <= question.now:
                continue
            dated = length.elapsed is None or not isinstance(duty.since, datetime)
            if dated and not zones:
                return ZONE_UNKNOWN
            spans.append((overdue(duty, zones), done))
        return Overdue(spans, as_text(rule.duty)) if spans else None

    return bind


class Overdue:
    """Blocks inside any of the spans: from when a duty is overdue until it is done."""

    __slots__ = ("_name", "_spans")

    def __init__(self, spans: list[tuple[int, int]], name: str) -> None:
        self._spans = Spans(spans)
        self._name = name

    def blocks(self, t: int) -> bool:
        return self._spans.holds(t)

    def changes(self, t: int) -> int:
        return self._spans.changes(t)

    def objection(self, t: int) -> Objection:
        sentence = f"A duty of the lender or collector is overdue: {self._name}."
        return Objection("required_action_overdue", False, lambda until: sentence)


def no_duty(rule: Obligation, question: Question) -> bool:
    """No duty has arisen."""
    return not question.facts.duties
