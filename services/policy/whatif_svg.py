"""The picture as an SVG file: nothing is fetched to show it, and each stretch says what it is."""

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import escape, quoteattr

from services.policy.whatif_picture import CELLS, NOTHING, OPEN, PARTLY, Picture

CELL, ROW, LEFT, TOP = 9, 22, 96, 56
FILLS = ("#c44e52", "#dd9f40", "#8172b3", "#4c72b0", "#4aa3a2", "#937860", "#da8bc3", "#8c8c8c")
GREEN, LIGHT_GREEN = "#3a9d5d", "#a9d8b8"


def svg(found: Picture, title: str, zone: str) -> str:
    """One XML document; a `<title>` in each stretch names the hours and the rule."""
    names = {letter: f"{each.code} ({each.rule})" for each, letter in found.legend.items()}
    names |= {OPEN: "contact is possible", PARTLY: "possible for part of the quarter hour"}
    width = LEFT + CELLS * CELL + 24
    used = [sign for sign in names if any(sign in row.cells for row in found.rows)]
    height = TOP + ROW * len(found.rows) + 28 + 20 * len(used)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15">{escape(title)}</text>',
        *_hours(len(found.rows)),
    ]
    for i, row in enumerate(found.rows):
        y = TOP + i * ROW
        parts.append(f'<text x="12" y="{y + 15}">{row.day:%a %Y-%m-%d}</text>')
        for start, length, sign in _runs(row.cells):
            hours = f"{row.day:%a} {_clock(start)}-{_clock(start + length)} ({zone})"
            parts.append(
                f'<rect x="{LEFT + start * CELL}" y="{y + 2}" width="{length * CELL}"'
                f' height="{ROW - 4}" fill={quoteattr(fill(sign))}>'
                f"<title>{escape(f'{hours}: {names[sign]}')}</title></rect>"
            )
    for i, sign in enumerate(used):
        y = TOP + ROW * len(found.rows) + 24 + 20 * i
        parts.append(f'<rect x="{LEFT}" y="{y - 11}" width="14" height="14" fill="{fill(sign)}"/>')
        parts.append(f'<text x="{LEFT + 22}" y="{y}">{escape(names[sign])}</text>')
    return "\n".join([*parts, "</svg>", ""])


def fill(sign: str) -> str:
    """The color of a stretch."""
    if sign == OPEN:
        return GREEN
    return LIGHT_GREEN if sign == PARTLY else FILLS[(ord(sign) - ord("a")) % len(FILLS)]


def _runs(cells: tuple[str, ...]) -> Iterator[tuple[int, int, str]]:
    start = 0
    for sign, run in groupby(cells):
        length = len(list(run))
        if sign != NOTHING:
            yield start, length, sign
        start += length


def _hours(rows: int) -> Iterator[str]:
    for hour in range(0, 25, 2):
        x = LEFT + hour * 4 * CELL
        yield f'<text x="{x}" y="{TOP - 10}" text-anchor="middle">{hour:02}:00</text>'
        yield (f'<line x1="{x}" y1="{TOP - 4}" x2="{x}" y2="{TOP + rows * ROW}" stroke="#dddddd"/>')


def _clock(cell: int) -> str:
    return f"{cell // 4:02}:{cell % 4 * 15:02}"
