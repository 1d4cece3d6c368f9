"""Is the clock inside hours, on this date or begun the date before? (rules.md 5.1)"""

from datetime import date, datetime, timedelta
from typing import Any

from tests.policy.oracle.clock import Map, local

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def named_days(name: str) -> list[int]:
    if name == "daily":
        return list(range(7))
    if "-" in name:
        a, b = (DAYS.index(x) for x in name.split("-"))
        return list(range(a, b + 1)) if a <= b else [*range(a, 7), *range(b + 1)]
    return [DAYS.index(name)]


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def hours_on(day: date, hours: Map, calendar: Map | None) -> list[str]:
    if calendar is not None:
        mark = calendar["dates"].get(day.isoformat())
        kind = None if mark is None else mark["class"] if isinstance(mark, dict) else "holiday"
        if "holiday" in hours and day.year not in calendar["covers"]:
            return []
        if kind in hours:
            return as_list(hours[kind])
    for name, value in hours.items():
        if name not in ("holiday", "half_day") and day.weekday() in named_days(name):
            return as_list(value)
    return []


def as_list(value: Any) -> list[str]:
    return [] if value == "closed" else value if isinstance(value, list) else [value]


def shows(t: datetime, zone: str, hours: Map, calendar: Map | None) -> bool:
    """Is the clock inside an interval, of this date or begun the date before?"""
    here = local(t, zone)
    at = here.hour * 60 + here.minute + here.second / 60
    for text in hours_on(here.date(), hours, calendar):
        a, b = (minutes(x) for x in text.split("-"))
        if a <= at < b or (b <= a and at >= a):
            return True
    for text in hours_on(here.date() - timedelta(days=1), hours, calendar):
        a, b = (minutes(x) for x in text.split("-"))
        if b <= a and at < b:
            return True
    return False


def opens(t: datetime, zone: str, hours: Map, calendar: Map | None) -> bool:
    return local(t, zone).fold == 0 and shows(t, zone, hours, calendar)
