"""The windows of time in which earlier contacts count: rolling, so many dates, or of the calendar
(rules.md 5.2).
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from services.policy import words
from services.policy.blocks.durations import Span
from services.policy.blocks.localtime import DAY, Zone, calendar_date, day_number, weekday
from services.policy.strict import Invalid, Path, known_keys, one_of, read, shown

Period = Literal["day", "week", "month"]


_DATES = {"day": 1, "week": 7, "month": 31}


class Counting(Struct, frozen=True):
    """A window: `rolling` seconds; or `days`; or the calendar's `period`, weeks starting on weekday
    `starts`.
    """

    rolling: Span | None = None
    days: int = 0
    period: Period | None = None
    starts: int = 0

    @property
    def longest(self) -> int:
        """Seconds after which an entry counts no more in any zone; local days differ from 24 h."""
        if self.rolling is not None:
            return self.rolling
        return (self.days or _DATES[self.period or "month"]) * DAY + 2 * DAY

    def ends(self, at: int, zone: Zone | None) -> int:
        """The first instant at which an entry of then no longer counts."""
        if self.rolling is not None:
            return at + self.rolling
        assert zone is not None
        return zone.starts(self.last_day(zone.day(at)) + 1)

    def last_day(self, day: int) -> int:
        """The last local date on which an entry of this date still counts."""
        if self.days:
            return day + self.days - 1
        if self.period == "day":
            return day
        if self.period == "week":
            return day + 6 - (weekday(day) - self.starts) % 7
        date = calendar_date(day)
        following = (date.year + date.month // 12, date.month % 12 + 1)
        return day_number(date.replace(year=following[0], month=following[1], day=1)) - 1

    def __str__(self) -> str:
        if self.rolling is not None:
            return f"within {self.rolling}"
        if self.days:
            return "on this date" if self.days == 1 else f"within {self.days} dates in a row"
        return f"in this calendar {self.period}"


def read_window(value: object, path: Path) -> Counting:
    if not isinstance(value, Mapping) or not value:
        raise Invalid(
            path, f"is {shown(value)}; write as {{rolling: 24h}}, {{days: 7}} or {{calendar: week}}"
        )
    given = known_keys(value, ("rolling", "days", "calendar", "starts"), path)
    if "rolling" in given and len(given) == 1:
        return Counting(rolling=Span.read(given["rolling"], (*path, "rolling")))
    if "days" in given and len(given) == 1:
        days = read(int, given["days"], (*path, "days"))
        if days < 1:
            raise Invalid((*path, "days"), f"is {days}, must be 1 or more")
        return Counting(days=days)
    if "calendar" not in given or not given.keys() <= {"calendar", "starts"}:
        raise Invalid(
            path, "must have one of rolling, days, calendar; `starts` goes with calendar: week"
        )
    period: Period = read(Period, given["calendar"], (*path, "calendar"))  # type: ignore[arg-type]
    if "starts" not in given:
        return Counting(period=period)
    if period != "week":
        raise Invalid((*path, "starts"), "goes with calendar: week only; leave it out")
    starts = one_of(given["starts"], words.WEEKDAYS, (*path, "starts"))
    return Counting(period=period, starts=words.WEEKDAYS.index(starts))
