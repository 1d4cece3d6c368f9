"""Named calendars of holidays and half days (rules.md 6.4): a year nobody entered is unknown, not
free of holidays.
"""

from collections.abc import Mapping
from datetime import date
from typing import Self

from msgspec import Struct

from services.policy import words
from services.policy.blocks.localtime import calendar_date, day_number, weekday
from services.policy.strict import Invalid, Path, known_keys, read, shown


class MarkedDate(Struct, frozen=True, kw_only=True):
    class_: words.DayClass = "holiday"
    name: str = ""


class Calendar(Struct, frozen=True, kw_only=True):
    """`covers` are the years entered in full; `dates` are keyed by days since 1970."""

    covers: frozenset[int]
    dates: Mapping[int, MarkedDate]

    @classmethod
    def read(cls, value: object, path: Path) -> Self:
        given = known_keys(value, ("covers", "dates"), path)
        for key in ("covers", "dates"):
            if key not in given:
                raise Invalid((*path, key), "is required; add it")
        years = read(tuple[int, ...], given["covers"], (*path, "covers"))
        if not years or min(years) < 1970:
            raise Invalid((*path, "covers"), "must list one year or more, from 1970 on")
        dates, here = given["dates"], (*path, "dates")
        if not isinstance(dates, Mapping):
            raise Invalid(here, f"is {shown(dates)}, must be a map of quoted dates to names")
        return cls(
            covers=frozenset(years),
            dates={
                day_number(read(date, str(day), (*here, day))): _marked(mark, (*here, day))
                for day, mark in dates.items()
            },
        )

    def knows(self, day: int) -> bool:
        return calendar_date(day).year in self.covers

    def class_of(self, day: int) -> str | None:
        marked = self.dates.get(day)
        return marked.class_ if marked else None


def is_business_day(day: int, calendar: Calendar | None) -> bool:
    """Monday to Friday and no holiday of the calendar; a half day is a business day. Of a year that
    the calendar does not cover the weekday alone decides (rules.md 6.4)."""
    if weekday(day) >= 5:
        return False
    return calendar is None or not calendar.knows(day) or calendar.class_of(day) != "holiday"


def _marked(value: object, path: Path) -> MarkedDate:
    if isinstance(value, Mapping):
        given = known_keys(value, ("class", "name"), path)
        if "class" not in given:
            raise Invalid((*path, "class"), "is required; add it")
        return MarkedDate(
            class_=read(words.DayClass, given["class"], (*path, "class")),  # type: ignore[arg-type]
            name=read(str, given["name"], (*path, "name")) if "name" in given else "",
        )
    return MarkedDate(name=read(str, value, path))
