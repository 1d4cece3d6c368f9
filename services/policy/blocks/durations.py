"""How long something lasts: elapsed minutes and hours, or local dates and business days (rules.md
6.4).
"""

import re
from collections.abc import Mapping
from typing import Self

from msgspec import Struct

from services.policy.blocks.calendars import Calendar, is_business_day
from services.policy.blocks.localtime import Zone
from services.policy.strict import Invalid, Path, known_keys, read, shown

UNITS = ("minutes", "hours", "days", "business_days")
_SECONDS = {"minutes": 60, "hours": 3600}

Calendars = Mapping[str, Calendar]


class UnknownCalendar(Exception):
    """A rule names a calendar nobody defined."""


def named(calendars: Calendars, name: str | None) -> Calendar | None:
    """The calendar of that name, or None without a name; raises UnknownCalendar."""
    if name is None:
        return None
    if name not in calendars:
        raise UnknownCalendar(name)
    return calendars[name]


class Duration(Struct, frozen=True, kw_only=True):
    """As written in a rule. `inclusive`: None takes the default of the place where it stands."""

    unit: str
    count: int
    inclusive: bool | None = None
    calendar: str | None = None

    @classmethod
    def read(cls, value: object, path: Path) -> Self:
        given = known_keys(value, (*UNITS, "inclusive", "calendar"), path)
        units = [unit for unit in UNITS if unit in given]
        if len(units) != 1:
            raise Invalid(path, f"must have exactly one of {', '.join(UNITS)}")
        count = read(int, given[units[0]], (*path, units[0]))
        if count < 0:
            raise Invalid((*path, units[0]), f"is {count}, must be 0 or more")
        return cls(
            unit=units[0],
            count=count,
            inclusive=read(bool, given["inclusive"], (*path, "inclusive"))
            if "inclusive" in given
            else None,
            calendar=read(str, given["calendar"], (*path, "calendar"))
            if "calendar" in given
            else None,
        )

    def length(self, calendars: Calendars, *, inclusive: bool) -> "Length":
        """Ready to measure; `inclusive` is the default of the place where it stands."""
        return Length(
            elapsed=self.count * _SECONDS[self.unit] if self.unit in _SECONDS else None,
            count=self.count,
            business=self.unit == "business_days",
            inclusive=inclusive if self.inclusive is None else self.inclusive,
            calendar=named(calendars, self.calendar),
        )


class Length(Struct, frozen=True, kw_only=True):
    """A duration with its calendar found. `elapsed` is in seconds, None for a duration in local
    dates.
    """

    elapsed: int | None
    count: int
    business: bool
    inclusive: bool
    calendar: Calendar | None

    def last_day(self, start: int) -> int:
        """The last local date covered from local date `start`: day one if inclusive, day zero
        otherwise.
        """
        if not self.business:
            return start + self.count - 1 if self.inclusive else start + self.count
        day = start - 1 if self.inclusive else start
        left = self.count
        while left:
            day += 1
            left -= is_business_day(day, self.calendar)
        return day

    def end(self, start: int, zone: Zone | None) -> int:
        """The first instant no longer covered, from instant `start`; only local dates need the
        zone.
        """
        if self.elapsed is not None:
            return start + self.elapsed
        assert zone is not None
        return zone.starts(self.last_day(zone.day(start)) + 1)

    def end_from_day(self, start: int, zone: Zone) -> int:
        """The same from a local date."""
        if self.elapsed is not None:
            return zone.starts(start) + self.elapsed
        return zone.starts(self.last_day(start) + 1)

    def __str__(self) -> str:
        if self.elapsed is not None:
            hours, minutes = divmod(self.elapsed // 60, 60)
            return counted(hours, "hour") if not minutes else counted(self.elapsed // 60, "minute")
        return counted(self.count, "business day" if self.business else "day")


def counted(number: int, thing: str) -> str:
    """`1 day`, `3 days`"""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


class Span(int):
    """Elapsed seconds, written `24h` or `30m`."""

    @classmethod
    def read(cls, value: object, path: Path) -> Self:
        if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]*[mh]", value):
            return cls(int(value[:-1]) * (60 if value[-1] == "m" else 3600))
        raise Invalid(path, f"is {shown(value)}; write minutes or hours, as 30m or 24h")

    def __str__(self) -> str:
        minutes = int(self) // 60
        return counted(minutes, "minute") if minutes % 60 else counted(minutes // 60, "hour")
