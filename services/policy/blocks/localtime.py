"""What calendars and wall clocks show at an instant, in one IANA zone, exactly to the second.

Instants here are whole seconds since 1970 (`int`), dates are days since 1970 (`int`), clock
readings are seconds since midnight (`int`): comparing them costs nothing. `NEVER` is later than
every instant.
"""

import re
from bisect import bisect_right
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY = 86_400
NEVER = 1 << 62
ALWAYS = -NEVER
MIDNIGHT = (0,)

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_LAST_DAY = date(9999, 12, 29).toordinal() - _EPOCH_ORDINAL
_FIRST_DAY = date(2, 1, 1).toordinal() - _EPOCH_ORDINAL
# Where the calendar of the standard library ends no zone has anything to tell: what held two days
# before goes on.
_FIRST_SHOWN = (date(1, 1, 3).toordinal() - _EPOCH_ORDINAL) * DAY
_LAST_SHOWN = _LAST_DAY * DAY
_NAME = re.compile(r"[A-Za-z]+(/[A-Za-z0-9_+\-]+)*")
_CACHED_DAYS = 20_000  # a zone forgets what it knew beyond this: 54 years of single days

# (first second, last second + 1, offset from UTC in seconds, is it the second pass of repeated
# readings?)
Segment = tuple[int, int, int, bool]


class UnknownZone(ValueError):
    """No such IANA time zone."""


def seconds(instant: datetime) -> int:
    """Whole seconds since 1970; a fraction of a second is dropped."""
    return int(instant.timestamp() // 1)


def instant(t: int) -> datetime:
    return datetime.fromtimestamp(t, UTC)


def day_number(day: date) -> int:
    return day.toordinal() - _EPOCH_ORDINAL


def calendar_date(day: int) -> date:
    return date.fromordinal(day + _EPOCH_ORDINAL)


def weekday(day: int) -> int:
    """Monday is 0; 1 January 1970 was a Thursday."""
    return (day + 3) % 7


def clock(reading: str) -> int:
    """Seconds since midnight of "HH:MM"; "24:00" is the end of the day."""
    return int(reading[:2]) * 3600 + int(reading[3:5]) * 60


class Zone:
    """One IANA zone. What it finds out about a UTC day is kept: most questions are about the same
    few days.
    """

    __slots__ = ("_date", "_days", "_info", "_starts", "alone", "name")

    def __init__(self, name: str) -> None:
        try:
            if not _NAME.fullmatch(name):
                raise UnknownZone(name)
            self._info = ZoneInfo(name)
        except (ZoneInfoNotFoundError, OSError, ValueError) as error:
            raise UnknownZone(name) from error
        self.name = name
        self.alone: tuple[Zone, ...] = (self,)
        self._days: dict[int, tuple[Segment, ...]] = {}
        self._starts: dict[int, int] = {}
        self._date = (0, 0)  # a stretch with one local date: the one asked about last

    def segment(self, t: int) -> Segment:
        """The stretch of constant offset round `t`, cut at UTC midnights."""
        segments = self._days.get(t // DAY) or self._explore(t // DAY)
        for found in segments:
            if t < found[1]:
                return found
        raise AssertionError("segments cover their whole UTC day")

    def day(self, t: int) -> int:
        """The local date."""
        return (t + self.segment(t)[2]) // DAY

    def clock(self, t: int) -> int:
        """What the wall clock shows, in seconds since midnight."""
        return (t + self.segment(t)[2]) % DAY

    def date_ends(self, t: int) -> int:
        """The first later instant that shows another local date."""
        first, end = self._date
        if not first <= t < end:
            today, end = self.day(t), self.next_mark(t, MIDNIGHT)
            while self.day(end) == today:
                end = self.next_mark(end, MIDNIGHT)
            self._date = (t, end)
        return end

    def steady_until(self, t: int) -> int:
        """The offset stays what it is until this instant at least: the next change of clocks, or
        more than a day on.
        """
        _, end, offset, second_pass = self.segment(t)
        if end % DAY:
            return end
        start, next_end, next_offset, next_pass = self.segment(end)
        return next_end if (next_offset, next_pass) == (offset, second_pass) else start

    def next_mark(self, t: int, marks: tuple[int, ...]) -> int:
        """The first later instant at which the clock shows one of `marks` (ascending, from
        midnight), or jumps.
        """
        local = t + self.segment(t)[2]
        since_midnight = local % DAY
        i = bisect_right(marks, since_midnight)
        ahead = (marks[i] if i < len(marks) else DAY + marks[0]) - since_midnight
        return min(t + ahead, self.steady_until(t))

    def starts(self, day: int) -> int:
        """The first instant of a local date; of the next one that exists, if a zone leaves this one
        out.
        """
        found = self._starts.get(day)
        if found is None:
            found = self._find_start(day)
            if len(self._starts) > _CACHED_DAYS:
                self._starts.clear()
            self._starts[day] = found
        return found

    def _find_start(self, day: int) -> int:
        if day > _LAST_DAY:
            return NEVER
        if day < _FIRST_DAY:
            return ALWAYS
        t = day * DAY - DAY  # no offset has ever been a whole day
        while self.day(t) < day:
            t = self.next_mark(t, MIDNIGHT)
        return t

    def _explore(self, utc_day: int) -> tuple[Segment, ...]:
        start, end = utc_day * DAY, utc_day * DAY + DAY
        cuts = [start]
        probe = start
        while probe < end:  # no zone has ever changed its clocks twice within six hours
            cuts.extend(self._changes(probe, probe + DAY // 4))
            probe += DAY // 4
        bounds = [*(cut for cut in cuts if cut < end), end]
        found = tuple((a, b, *self._shows(a)) for a, b in pairwise(bounds))
        if len(self._days) > _CACHED_DAYS:
            self._days.clear()
        self._days[utc_day] = found
        return found

    def _shows(self, t: int) -> tuple[int, bool]:
        local = datetime.fromtimestamp(min(max(t, _FIRST_SHOWN), _LAST_SHOWN), self._info)
        offset = local.utcoffset()
        assert offset is not None
        return offset.days * DAY + offset.seconds, local.fold == 1

    def _changes(self, low: int, high: int) -> list[int]:
        """Instants in (low, high] where offset or pass changes, by halving."""
        if self._shows(low) == self._shows(high):
            return []
        if high - low == 1:
            return [high]
        middle = (low + high) // 2
        return self._changes(low, middle) + self._changes(middle, high)


@lru_cache(maxsize=1024)
def zone(name: str) -> Zone:
    """The zone of that name; raises UnknownZone."""
    return Zone(name)
