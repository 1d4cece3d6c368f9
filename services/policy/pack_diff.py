"""What differs between two versions of a pack, in words, and whether contacts become fewer or more.

Pure: two packs.  What can't be shown to be as strict for every contact is called unclear.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from services.policy import pack_text, stricter
from services.policy.loosening import changes
from services.policy.pack import Pack
from services.policy.rule import Rule
from services.policy.stricter import Way


class Difference(Struct, frozen=True, kw_only=True):
    """One rule, or with an empty `rule` the pack itself; `lines` say it in words."""

    rule: str
    change: Literal["added", "removed", "changed"]
    way: Way
    fields: Mapping[str, Way] = {}  # of a changed rule
    lines: tuple[str, ...] = ()


def diff(before: Pack, after: Pack) -> list[Difference]:
    """In the order of the new pack, what was removed last."""
    old, new = ({rule.id: rule for rule in pack.rules} for pack in (before, after))
    found = _of_pack(before, after)
    for name, rule in new.items():
        if name not in old:
            way = Way.TIGHTER if _bars(rule) else Way.SAME
            found.append(_whole("added", way, rule))
        elif old[name] != rule:
            found.append(_changed(old[name], rule))
    for name, rule in old.items():
        if name not in new:
            found.append(_whole("removed", Way.LOOSER if _bars(rule) else Way.SAME, rule))
    return found


def _whole(change: Literal["added", "removed"], way: Way, rule: Rule) -> Difference:
    lines = _lines(pack_text.rule_in_words(rule))
    return Difference(rule=rule.id, change=change, way=way, lines=tuple(lines))


def _changed(before: Rule, after: Rule) -> Difference:
    fields = {change.field: change.way for change in changes(before, after)}
    return Difference(
        rule=after.id,
        change="changed",
        way=stricter.together(fields.values()),
        fields=fields,
        lines=_compared(_said(before), _said(after)),
    )


def _said(rule: Rule) -> pack_text.Lines:
    return [("Title", rule.title), *pack_text.rule_in_words(rule)]


def _of_pack(before: Pack, after: Pack) -> list[Difference]:
    """What stands before the rules: dates in force, calendars, and words without effect."""
    fields: dict[str, Way] = {}
    if before.effective != after.effective:
        fields["effective"] = stricter.effective(before.effective, after.effective)
    if before.calendars != after.calendars:
        # A holiday more may close a window and lengthen a period of business days.
        fields["calendars"] = Way.UNCLEAR
    for name in ("title", "jurisdiction", "status", "sources"):
        if getattr(before, name) != getattr(after, name):
            fields[name] = Way.SAME
    if not fields:
        return []
    old, new = (_headed(pack) for pack in (before, after))
    way = stricter.together(fields.values())
    return [
        Difference(rule="", change="changed", way=way, fields=fields, lines=_compared(old, new))
    ]


def _headed(pack: Pack) -> pack_text.Lines:
    dates = [
        ("Calendars", f"{name}: {day} {mark.class_} {mark.name}".rstrip())
        for name, calendar in sorted(pack.calendars.items())
        for day, mark in pack_text.dates(calendar)
    ]
    kept = [each for each in pack_text.heading(pack) if each[0] not in ("Pack", "Rules")]
    return [("Title", pack.title), *kept, *dates]


def _bars(rule: Rule) -> bool:
    return rule.severity == "block" and rule.kind != "retention"


def _compared(before: pack_text.Lines, after: pack_text.Lines) -> tuple[str, ...]:
    """`- ` what is gone, `+ ` what is new."""
    old, new = _lines(before), _lines(after)
    gone = [f"- {line}" for line in old if line not in new]
    return (*gone, *(f"+ {line}" for line in new if line not in old))


def _lines(pairs: pack_text.Lines) -> list[str]:
    found: list[str] = []
    label = ""
    for name, text in pairs:
        label = name or label
        found.append(f"{label}: {text}")
    return found


def counts(differences: Iterable[Difference]) -> dict[str, int]:
    """How many rules, and the pack itself, by what became of them."""
    found = {way.value: 0 for way in Way}
    for each in differences:
        found[each.way.value] += 1
    return found


def as_values(each: Difference) -> dict[str, Any]:
    """For JSON."""
    return {
        "rule": each.rule or None,
        "change": each.change,
        "way": each.way.value,
        "fields": {name: way.value for name, way in each.fields.items()},
        "lines": list(each.lines),
    }
