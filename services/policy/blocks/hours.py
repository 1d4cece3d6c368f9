"""Hours of the week, with other hours on holidays and half days; they may cross midnight (rules.md
5.1).
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Self

from msgspec import Struct

from services.policy import words
from services.policy.blocks.calendars import Calendar
from services.policy.blocks.localtime import DAY, Zone, clock, weekday
from services.policy.strict import Invalid, Path, read, shown

# From opening to closing, in seconds since the midnight on which it opens; beyond DAY it crosses
# midnight.
Interval = tuple[int, int]
Intervals = tuple[Interval, ...]

_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_INTERVAL = re.compile(f"{_CLOCK}-(?:{_CLOCK}|24:00)")
_CLASSES = ("holiday", "half_day")


class Hours(Struct, frozen=True, kw_only=True):
    """As written in a rule: a tuple of intervals for each weekday from Monday, and for each day
    class named.
    """

    weekdays: tuple[Intervals, ...]
    classes: Mapping[str, Intervals]

    @classmethod
    def read(cls, value: object, path: Path) -> Self:
        if not isinstance(value, Mapping) or not value:
            raise Invalid(path, f"is {shown(value)}; write `preferences`, or days with their hours")
        weekdays: dict[int, Intervals] = {}
        classes: dict[str, Intervals] = {}
        for name, intervals in value.items():
            found = _intervals(intervals, (*path, name))
            if name in _CLASSES:
                classes[name] = found
                continue
            for day in sorted(_days(name, path)):
                if day in weekdays:
                    text = f"{words.WEEKDAYS[day]} is named twice; give each weekday its hours once"
                    raise Invalid((*path, name), text)
                weekdays[day] = found
        return cls(weekdays=tuple(weekdays.get(day, ()) for day in range(7)), classes=classes)


class WeeklyHours:
    """Hours ready to be compared with a wall clock."""

    __slots__ = (
        "_calendar",
        "_classes",
        "_closes_unknown_years",
        "_overnight",
        "_weekdays",
        "marks",
    )

    def __init__(self, hours: Hours, calendar: Calendar | None) -> None:
        self._weekdays = hours.weekdays
        self._classes = hours.classes if calendar else {}
        self._calendar = calendar
        self._closes_unknown_years = "holiday" in self._classes
        every = [i for day in (*hours.weekdays, *hours.classes.values()) for i in day]
        self._overnight = any(close > DAY for _, close in every)
        self.marks = tuple(sorted({0} | {mark % DAY for interval in every for mark in interval}))

    def of(self, day: int) -> Intervals:
        """The hours that open on this date."""
        if self._calendar is not None:
            if self._closes_unknown_years and not self._calendar.knows(day):
                return ()
            found = self._classes.get(self._calendar.class_of(day) or "")
            if found is not None:
                return found
        return self._weekdays[weekday(day)]

    def barred_by_class(self, day: int) -> bool:
        """Are this date's hours those of a day class, or unknown because the calendar ends?"""
        if self._calendar is None:
            return False
        if self._closes_unknown_years and not self._calendar.knows(day):
            return True
        return self._calendar.class_of(day) in self._classes

    def barred_over_midnight(self, day: int, reading: int) -> bool:
        """Would hours that the evening before opens be running still, had its class not taken them?
        An interval belongs, day class included, to the date on which it opens.
        """
        before = day - 1
        if not self._overnight or not self.barred_by_class(before):
            return False
        usual = self._weekdays[weekday(before)]
        return any(opens <= reading + DAY < closes for opens, closes in usual)

    def is_open(self, zone: Zone, t: int) -> bool:
        """Inside an interval, and not in a second pass."""
        segment = zone.segment(t)
        return not segment[3] and self._shown(zone, t + segment[2])

    def is_shown(self, zone: Zone, t: int) -> bool:
        """Inside an interval in either pass: what is forbidden is forbidden twice."""
        return self._shown(zone, t + zone.segment(t)[2])

    def _shown(self, zone: Zone, local: int) -> bool:
        day, reading = divmod(local, DAY)
        for opens, closes in self.of(day):
            if opens <= reading < closes:
                return True
        if self._overnight:
            reading += DAY
            for opens, closes in self.of(day - 1):
                if opens <= reading < closes:
                    return True
        return False


@lru_cache(maxsize=4096)
def recurring(days: str, opens: str, closes: str) -> WeeklyHours:
    """The hours of a consent or a preference."""
    interval = ((clock(opens), _closing(clock(opens), clock(closes))),)
    chosen = _days(days, ())
    weekdays = tuple(interval if day in chosen else () for day in range(7))
    return WeeklyHours(Hours(weekdays=weekdays, classes={}), None)


def _days(name: str, path: Path) -> set[int]:
    """`daily`, `mon`, `mon-fri`, also round the weekend: `sat-mon`."""
    if name == "daily":
        return set(range(7))
    first, _, last = name.partition("-")
    weekdays = words.WEEKDAYS
    if first not in weekdays or (last or first) not in weekdays or name.endswith("-"):
        allowed = f"daily, {', '.join(weekdays)}, a range as mon-fri, {', '.join(_CLASSES)}"
        raise Invalid((*path, name), f"unknown key; use one of: {allowed}")
    start, end = weekdays.index(first), weekdays.index(last or first)
    return {(start + i) % 7 for i in range((end - start) % 7 + 1)}


def _intervals(value: object, path: Path) -> Intervals:
    if value == "closed":
        return ()
    if isinstance(value, list | tuple):
        if not value:
            raise Invalid(path, "is empty; write `closed`")
        return tuple(_interval(part, (*path, i)) for i, part in enumerate(value))
    return (_interval(value, path),)


def _interval(value: object, path: Path) -> Interval:
    text = read(str, value, path)
    if not _INTERVAL.fullmatch(text):
        raise Invalid(path, f"{text!r} is not an interval; write '08:00-21:00', or `closed`")
    opens, closes = clock(text[:5]), clock(text[6:])
    if opens == closes:
        raise Invalid(
            path, f"{text!r} opens and closes at the same time; the whole day is '00:00-24:00'"
        )
    return opens, _closing(opens, closes)


def _closing(opens: int, closes: int) -> int:
    return closes if closes > opens else closes + DAY
