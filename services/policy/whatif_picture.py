"""A range as a picture: a row a local day, a cell a quarter of an hour."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from rich.text import Text

from services.policy.decide import Reason
from services.policy.whatif import HELD, Interval

QUARTER = timedelta(minutes=15)
CELLS = 96  # in a day
LETTERS = "abcdefghijklmnopqrstuvwxyz"
COLORS = ("red", "yellow", "magenta", "blue", "cyan", "bright_red", "bright_yellow", "bright_blue")

OPEN, PARTLY, NOTHING = "█", "▒", " "


class Cause(NamedTuple):
    """A rule that bars, first among those that do, and what it says."""

    rule: str
    code: str


class Row(NamedTuple):
    """A local day: for each quarter of an hour the sign it is drawn with (one of the legend's
    letters, open, partly open, or nothing: outside the range, or skipped by the clock).
    """

    day: date
    cells: tuple[str, ...]


class Picture(NamedTuple):
    """Rows and what their letters mean, in the order of the alphabet."""

    rows: tuple[Row, ...]
    legend: dict[Cause, str]


def cause(interval: Interval) -> Cause:
    """What a closed interval is drawn and listed as."""
    first = next((r for r in interval.reasons if r.rule is not None), interval.reasons[0])
    return Cause(first.rule or nameless(first, "no rule alone"), first.code)


def nameless(reason: Reason, together: str) -> str:
    """What stands where a rule's name would: that rules bar `together`, or that none is asked."""
    return "no pack in force" if reason.code == HELD else together


def picture(intervals: Sequence[Interval], zone: ZoneInfo) -> Picture:
    """A quarter of an hour that a clock shows twice is drawn once: as open only if both were."""
    legend: dict[Cause, str] = {}
    for interval in intervals:
        if not interval.open:
            legend.setdefault(cause(interval), LETTERS[len(legend) % len(LETTERS)])
    days: dict[date, list[str]] = {}
    for start, end, interval in _quarters(intervals):
        sign = OPEN if interval.open else legend[cause(interval)]
        local = start.astimezone(zone)
        cells = days.setdefault(local.date(), [NOTHING] * CELLS)
        cell = (local.hour * 60 + local.minute) // 15
        before = cells[cell]
        mixed = before not in (NOTHING, sign) and OPEN in (before, sign)
        cells[cell] = PARTLY if mixed or before == PARTLY else sign if before == NOTHING else before
        assert end > start
    return Picture(tuple(Row(day, tuple(cells)) for day, cells in sorted(days.items())), legend)


def _quarters(
    intervals: Sequence[Interval],
) -> Iterator[tuple[datetime, datetime, Interval]]:
    """Each interval cut at the quarters of the hour; no zone of today has another offset."""
    for interval in intervals:
        t = interval.start
        while t < interval.end:
            into = timedelta(minutes=t.minute % 15, seconds=t.second, microseconds=t.microsecond)
            after = min(t - into + QUARTER, interval.end)
            yield t, after, interval
            t = after


def color(letter: str) -> str:
    """A color a cause; beyond eight they come again, the letters tell them apart."""
    return COLORS[LETTERS.index(letter) % len(COLORS)]


def drawn(found: Picture, width: int) -> list[Text]:
    """Lines for a terminal: whole days side by side with their hours, or in two halves where it is
    narrow.
    """
    label = 12
    if width >= label + CELLS:
        return _block(found, 0, 24)
    return [*_block(found, 0, 12), Text(""), *_block(found, 12, 24)]


def _block(found: Picture, first: int, last: int) -> list[Text]:
    hours = "".join(f"{hour:<4}" for hour in range(first, last))
    lines = [Text(f"{'':12}{hours}".rstrip(), style="bold")]
    for row in found.rows:
        line = Text(f"{row.day:%a %m-%d}".ljust(12))
        for sign in row.cells[first * 4 : last * 4]:
            line.append(sign, style=_style(sign))
        line.rstrip()
        lines.append(line)
    return lines


def legend(found: Picture) -> list[Text]:
    """What the signs mean."""
    lines = [Text.assemble((OPEN, "green"), " contact is possible")]
    if any(PARTLY in row.cells for row in found.rows):
        lines.append(Text.assemble((PARTLY, "green"), " possible for part of the quarter hour"))
    for each, letter in found.legend.items():
        lines.append(Text.assemble((letter, color(letter)), f" {each.code}  ({each.rule})"))
    return lines


def _style(sign: str) -> str:
    if sign in (OPEN, PARTLY):
        return "green"
    return color(sign) if sign in LETTERS else ""
