"""How long something lasts, in time or in local dates."""

from datetime import UTC, date, datetime, timedelta

from tests.policy.oracle.clock import Map, ZoneUnknown, local, local_date


def is_business(day: date, calendar: Map | None) -> bool:
    entered = calendar is not None and day.year in calendar["covers"]
    mark = calendar["dates"].get(day.isoformat()) if entered else None
    holiday = mark is not None and (not isinstance(mark, dict) or mark["class"] == "holiday")
    return day.weekday() < 5 and not holiday


def last_date(d: date, duration: Map, inclusive: bool, calendars: Map) -> date:
    inclusive = duration.get("inclusive", inclusive)
    if "days" in duration:
        return d + timedelta(days=duration["days"] - (1 if inclusive else 0))
    calendar = calendars[duration["calendar"]] if "calendar" in duration else None
    left, day = duration["business_days"], d - timedelta(days=1) if inclusive else d
    while left:
        day += timedelta(days=1)
        if is_business(day, calendar):
            left -= 1
    return day


def elapsed(duration: Map) -> timedelta | None:
    if "minutes" in duration or "hours" in duration:
        return timedelta(minutes=duration.get("minutes", 0), hours=duration.get("hours", 0))
    return None


def start_of(d: date, zone: str) -> datetime:
    """The first instant that shows this date or a later one."""
    t = datetime(d.year, d.month, d.day, tzinfo=UTC) - timedelta(hours=16)
    while local(t, zone).date() < d:
        t += timedelta(minutes=1)
    return t


def lasts_at(
    t: datetime, start: datetime | date, duration: Map, incl: bool, zone: str | None, cals: Map
) -> bool:
    """Is `t` not yet past the duration?"""
    length = elapsed(duration)
    if isinstance(start, datetime):
        if length is not None:
            return t < start + length
        return local_date(t, zone) <= last_date(local_date(start, zone), duration, incl, cals)
    if zone is None:
        raise ZoneUnknown
    if length is not None:
        return t < start_of(start, zone) + length
    return local_date(t, zone) <= last_date(start, duration, incl, cals)
