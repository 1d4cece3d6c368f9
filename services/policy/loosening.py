"""Does a draft loosen a rule that is shipped?  Pure: rules before, rules after.

A tenant may add rules and tighten them, never loosen (rules.md section 7).  What can't be shown to
be as strict for every contact counts as loosening.
"""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from services.policy import stricter
from services.policy.rule import Rule
from services.policy.stricter import Way
from services.policy.stricter_kinds import COMMON, COMPARED, WHOLE


class Change(Struct, frozen=True, kw_only=True):
    """One parameter of a rule that is otherwise now; `before` and `after` as they were read."""

    rule: str
    field: str
    way: Way
    before: Any
    after: Any


class Loosening(Struct, frozen=True, kw_only=True):
    """Why a draft is refused: the shipped rule that forbids it, and what the draft does to it."""

    rule: str
    field: str  # empty where the rule is gone altogether
    why: str


def loosened(base_rules: Iterable[Rule], draft_rules: Iterable[Rule]) -> list[Loosening]:
    """Each way in which the draft asks less than the base; empty if it only adds and tightens."""
    drafted = {rule.id: rule for rule in draft_rules}
    found: list[Loosening] = []
    for base in base_rules:
        draft = drafted.get(base.id)
        if draft is None:
            if _objects(base):
                found.append(Loosening(rule=base.id, field="", why="the rule is gone; keep it"))
            continue
        found += [
            Loosening(rule=base.id, field=change.field, why=_why(change))
            for change in changes(base, draft)
            if change.way in (Way.LOOSER, Way.UNCLEAR)
        ]
    return found


def changes(base: Rule, draft: Rule) -> list[Change]:
    """What differs between two versions of a rule, by field, with what it does to contacts."""
    if base.kind != draft.kind:
        way = Way.UNCLEAR if _objects(base) else Way.TIGHTER
        return [_change(base, draft, "kind", way)]
    # A rule that only reports forbids nothing: nothing in it can be loosened.
    reports = base.severity == "warn"
    found: list[Change] = []
    for field in type(base).__struct_fields__:
        if getattr(base, field) == getattr(draft, field):
            continue
        way = COMPARED[base.kind].get(field, COMMON.get(field, stricter.same))(
            *((base, draft) if field in WHOLE else (getattr(base, field), getattr(draft, field)))
        )
        if reports and field != "severity":
            way = Way.SAME
        found.append(_change(base, draft, field, way))
    return found


def _change(base: Rule, draft: Rule, field: str, way: Way) -> Change:
    return Change(
        rule=base.id,
        field=field.rstrip("_"),
        way=way,
        before=getattr(base, field),
        after=getattr(draft, field),
    )


def _objects(rule: Rule) -> bool:
    return rule.severity == "block"


def _why(change: Change) -> str:
    if change.way is Way.UNCLEAR:
        return "can't be shown to be as strict as before; leave it, and add a rule of your own"
    said = _SAID.get(change.field, "lets contacts through that were barred")
    return f"{said}; leave it as it was, or make it stricter"


_SAID = {
    "hours": "is open at times that were closed",
    "max": "allows more contacts",
    "window": "looks back less far",
    "key": "counts fewer earlier contacts together",
    "counts": "counts fewer earlier contacts",
    "exclude": "leaves more earlier contacts out of the count",
    "trigger": "is triggered by fewer events",
    "lasts": "ends sooner",
    "unless": "makes an exception that was not there",
    "applies": "is about fewer contacts",
    "severity": "only warns where it blocked",
    "effective": "is not in force on days on which it was",
    "effect": "only waits where a person had to decide",
    "zones": "asks fewer of the zones in which the borrower may be",
    "fact": "no longer heeds every stop it did",
    "allowed": "lets more recipients be contacted",
    "exceptions": "makes an exception that was not there",
    "deny": "bars less than it did",
    "elements": "demands less of a message",
    "labels": "bars fewer messages",
    "patterns": "bars fewer messages",
    "require": "demands less to come first",
    "due": "gives more time for the duty",
    "min": "keeps records for less time",
}
