"""Which of two hours, windows or durations lets fewer contacts through; see `stricter`."""

from typing import Any

from services.policy.blocks.counting import Counting
from services.policy.blocks.durations import Duration
from services.policy.blocks.hours import Hours
from services.policy.stricter import Compare, Way, demanded, fewer, higher, reverse, together


def hours(before: Hours | None, after: Hours | None) -> Way:
    """Any minute of the week, or of a holiday, that was closed and now is open is looser."""
    if before == after:
        return Way.SAME
    if before is None or after is None:
        return Way.UNCLEAR
    if "holiday" in before.classes and "holiday" not in after.classes:
        return Way.LOOSER  # years that the calendar does not cover were closed
    if not before.classes and not after.classes:
        return fewer(_open_minutes(before.weekdays), _open_minutes(after.weekdays))
    ways = [_days(before.weekdays, after.weekdays)]
    for name in before.classes.keys() | after.classes.keys():
        # On such a date the hours of the class replace those of any weekday.
        old, new = before.classes.get(name), after.classes.get(name)
        ways.append(
            _days(
                before.weekdays if old is None else (old,) * 7,
                after.weekdays if new is None else (new,) * 7,
            )
        )
    return together(ways)


def _days(before: tuple[Any, ...], after: tuple[Any, ...]) -> Way:
    pairs = zip(before, after, strict=True)
    return together(fewer(_open_minutes((old,)), _open_minutes((new,))) for old, new in pairs)


def _open_minutes(days: tuple[tuple[tuple[int, int], ...], ...]) -> frozenset[int]:
    """Of a whole week round the clock; of a single day from its midnight on."""
    length = 7 * 1440 if len(days) == 7 else 2 * 1440
    return frozenset(
        (day * 1440 + minute) % length
        for day, intervals in enumerate(days)
        for opens, closes in intervals
        for minute in range(opens // 60, closes // 60)
    )


def window(before: Counting, after: Counting) -> Way:
    """The longer the past that counts, the stricter."""
    old, new = _dates(before), _dates(after)
    if old == new:
        return Way.SAME
    if old[0] == new[0]:
        return higher(old[1], new[1])
    # A calendar week lies in any seven dates that end today, a month in any 31, today in both.
    for way, outer, inner in ((Way.TIGHTER, new, old), (Way.LOOSER, old, new)):
        longest = {"week": 7, "month": 31}.get(inner[0].partition(" ")[0])
        if outer[0] == "dates" and longest and outer[1] >= longest:
            return way
        if inner == ("dates", 1) and outer[0] != "seconds":
            return way
    return Way.UNCLEAR


def _dates(written: Counting) -> tuple[str, int]:
    """Windows with the same first part can be compared by the second."""
    if written.rolling is not None:
        return "seconds", int(written.rolling)
    if written.days or written.period == "day":
        return "dates", written.days or 1
    return f"{written.period} {written.starts if written.period == 'week' else ''}", 0


def longer(default: bool) -> Compare:
    """A duration for which something is barred; `default` is that of `inclusive` there."""

    def compare(before: Duration | None, after: Duration | None) -> Way:
        if before == after:
            return Way.SAME
        if before is None or after is None:
            return demanded(before, after)
        old, new = _length(before, default), _length(after, default)
        return higher(old[1], new[1]) if old[0] == new[0] else Way.UNCLEAR

    return compare


def _length(written: Duration, default: bool) -> tuple[tuple[object, ...], int]:
    inclusive = default if written.inclusive is None else written.inclusive
    match written.unit:
        case "minutes":
            return ("minutes",), written.count
        case "hours":
            return ("minutes",), written.count * 60
        case "days":
            return ("days",), written.count if inclusive else written.count + 1
        case unit:
            return (unit, written.calendar, inclusive), written.count


def shorter(before: Duration | None, after: Duration | None) -> Way:
    """A duration within which something must be done or shown; None is for ever."""
    return reverse(longer(False)(before, after))
