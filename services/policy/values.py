"""Values that facts and rules share: a zone's name, a clock time, days of the week, a count.

A function that ends in `_problem` says what is wrong with a value and what would be right, or None.
"""

import re
from typing import Annotated

from services.policy import words
from services.policy.blocks.localtime import UnknownZone, zone
from services.policy.strict import Check


def zone_problem(name: str) -> str | None:
    try:
        zone(name)
    except UnknownZone:
        return f"{name!r} is not an IANA time zone; write one such as 'America/New_York'"
    return None


def clock_problem(reading: str) -> str | None:
    if re.fullmatch(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00", reading):
        return None
    return f"{reading!r} is not a clock time; write '08:00', from '00:00' to '24:00'"


def days_problem(days: str) -> str | None:
    first, _, last = days.partition("-")
    weekdays = words.WEEKDAYS
    if days == "daily" or (first in weekdays and (last in weekdays or "-" not in days)):
        return None
    return f"{days!r} names no days; write 'daily', a weekday as 'mon', or a range as 'mon-fri'"


def _one_or_more(items: tuple[str, ...]) -> str | None:
    return None if items else "is empty; name at least one, or leave the key out"


def _not_negative(number: int) -> str | None:
    return None if number >= 0 else f"is {number}, must be 0 or more"


ZoneName = Annotated[str, Check(zone_problem)]
Clock = Annotated[str, Check(clock_problem)]
Days = Annotated[str, Check(days_problem)]
Names = Annotated[tuple[str, ...], Check(_one_or_more)]
Count = Annotated[int, Check(_not_negative)]
