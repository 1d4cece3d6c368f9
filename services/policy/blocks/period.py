"""The period a notice opens, and whether a stop was received in it (`received_within`, rules.md
5.4).
"""

from msgspec import Struct

from services.policy import words
from services.policy.blocks.durations import Calendars, Duration
from services.policy.blocks.localtime import Zone, day_number, seconds
from services.policy.facts import Notice, Stop
from services.policy.question import Question
from services.policy.values import Count


class ReceivedWithin(Struct, frozen=True, kw_only=True):
    """Only stops received in the period a notice opens."""

    notice: words.NoticeKind
    days: Count
    receipt: Duration | None = None


class Period:
    """The period in which a stop must have been received (`received_within`)."""

    def __init__(self, written: ReceivedWithin, calendars: Calendars) -> None:
        self._notice = written.notice
        self._days = written.days
        receipt = written.receipt
        self._receipt = receipt.length(calendars, inclusive=False) if receipt else None

    def compares_dates(self, stop: Stop, question: Question) -> bool:
        return stop.received is not None and self._latest(question) is not None

    def includes(self, stop: Stop, question: Question, zone: Zone) -> bool:
        """Was it received, by local date, not later than the last day? No notice: the period is
        still open.
        """
        notice = self._latest(question)
        if notice is None or stop.received is None:
            return True
        if notice.period_ends is not None:
            last = day_number(notice.period_ends)
        else:
            last = self._received(zone, seconds(notice.sent)) + self._days
        return zone.day(seconds(stop.received)) <= last

    def _received(self, zone: Zone, sent: int) -> int:
        """The local date on which the notice is taken to have arrived."""
        length = self._receipt
        if length is None:
            return zone.day(sent)
        if length.elapsed is not None:
            return zone.day(sent + length.elapsed)
        return length.last_day(zone.day(sent))

    def _latest(self, question: Question) -> Notice | None:
        sent = [
            notice
            for notice in question.facts.notices
            if notice.kind == self._notice
            and not notice.returned
            and seconds(notice.sent) <= question.now
        ]
        return max(sent, key=lambda notice: notice.sent, default=None)
