"""Dates and hours as the sentences of a decision say them: plain English, no personal data."""

from functools import lru_cache

from services.policy.blocks.localtime import Zone, calendar_date
from services.policy.blocks.zones import Zones

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def reading(zone: Zone, t: int) -> str:
    """`07:59`, with seconds only if there are any."""
    minute, second = divmod(zone.clock(t), 60)
    return f"{_READINGS[minute]}:{second:02}" if second else _READINGS[minute]


@lru_cache(maxsize=4096)
def day_in_words(day: int) -> str:
    """`Tuesday 12 May 2026`"""
    date = calendar_date(day)
    return f"{_DAYS[date.weekday()]} {date.day} {_MONTHS[date.month - 1]} {date.year}"


def moment(zone: Zone, t: int, now: int) -> str:
    """`at 08:00`, or `on Wednesday 13 May 2026 at 08:00` when that is another day than `now`."""
    day = zone.day(t)
    there = "" if day == zone.day(now) else f"on {day_in_words(day)} "
    return f"{there}at {reading(zone, t)}"


def free_again(zones: Zones, t: int, until: int | None) -> str:
    """When this rule would allow the contact, in the zone where that is said first; nothing if time
    doesn't cure it.
    """
    if until is None:
        return "Nothing in the next 45 days changes that."
    if not zones:
        return f"It is allowed again {utc(until)}."
    return f"It is allowed again {moment(zones[0], until, t)} ({zones[0].name})."


def utc(t: int) -> str:
    return f"on {day_in_words(_UTC.day(t))} at {reading(_UTC, t)} UTC"


def listed(words: list[str]) -> str:
    """`a, b and c`"""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


_UTC = Zone("UTC")
_READINGS = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60))
