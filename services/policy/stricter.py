"""Which of two values of one parameter lets fewer contacts through.

Each comparison takes the value before and after and answers with a Way. Where neither can be shown
to be stricter for every contact, the answer is UNCLEAR, and whoever asks treats it as looser.
"""

from collections.abc import Callable, Iterable
from datetime import date
from enum import StrEnum
from typing import Any

from services.policy.blocks.channels import spelled_out
from services.policy.blocks.conditions import ONLY_IN_STOP_WHEN, Condition
from services.policy.blocks.entries import EntryFilter
from services.policy.blocks.outcomes import Unit, outcomes_of
from services.policy.blocks.scope import DaysPastDue, Scope
from services.policy.rule import Effective


class Way(StrEnum):
    """What a change does to the contacts that may be made."""

    SAME = "same"  # none is decided otherwise
    TIGHTER = "tightened"
    LOOSER = "loosened"
    UNCLEAR = "unclear"


Compare = Callable[[Any, Any], Way]


def together(ways: Iterable[Way]) -> Way:
    """Of several changes at once: looser if any is, then unclear, then tighter."""
    found = set(ways)
    for way in (Way.LOOSER, Way.UNCLEAR, Way.TIGHTER):
        if way in found:
            return way
    return Way.SAME


def reverse(way: Way) -> Way:
    """What it would be the other way round."""
    return {Way.TIGHTER: Way.LOOSER, Way.LOOSER: Way.TIGHTER}.get(way, way)


def same(before: Any, after: Any) -> Way:
    return Way.SAME if before == after else Way.UNCLEAR


def no_effect(before: Any, after: Any) -> Way:
    """It changes what is said, not what is decided."""
    return Way.SAME


def lower(before: int | None, after: int | None) -> Way:
    """A limit: the lower the stricter; None is no limit."""
    if before == after:
        return Way.SAME
    if before is None or after is None:
        return Way.TIGHTER if before is None else Way.LOOSER
    return Way.TIGHTER if after < before else Way.LOOSER


def higher(before: int | None, after: int | None) -> Way:
    """A demand: the higher the stricter; None demands nothing."""
    if before is None or after is None:
        return lower(before, after)
    return reverse(lower(before, after))


def more(before: Iterable[Any], after: Iterable[Any]) -> Way:
    """A list of what is forbidden or demanded: every addition is stricter."""
    old, new = frozenset(before), frozenset(after)
    if old == new:
        return Way.SAME
    return Way.TIGHTER if old < new else Way.LOOSER


def fewer(before: Iterable[Any], after: Iterable[Any]) -> Way:
    """A list of what is let through: every addition is looser."""
    old, new = frozenset(before), frozenset(after)
    if old == new:
        return Way.SAME
    return Way.TIGHTER if new < old else Way.LOOSER


def reaches(before: frozenset[Any] | None, after: frozenset[Any] | None) -> Way:
    """What a rule is about: the more the stricter, None is everything."""
    if before == after:
        return Way.SAME
    if before is None or after is None:
        return Way.LOOSER if before is None else Way.TIGHTER
    return more(before, after)


def accepts(before: frozenset[Any] | None, after: frozenset[Any] | None) -> Way:
    """What satisfies a rule: the less the stricter, None is anything."""
    return reverse(reaches(before, after)) if _ordered(before, after) else Way.LOOSER


def _ordered(before: frozenset[Any] | None, after: frozenset[Any] | None) -> bool:
    return before is None or after is None or before <= after or after <= before


def demanded(before: Any, after: Any) -> Way:
    """Something asked for or not: asking is stricter."""
    if before == after:
        return Way.SAME
    if bool(before) == bool(after):
        return Way.UNCLEAR
    return Way.TIGHTER if after else Way.LOOSER


def zones(before: str, after: str) -> Way:
    """Every candidate zone must allow; the best evidence is only some of them."""
    if before == after:
        return Way.SAME
    order = ("best_evidence", "every_candidate")
    if before in order and after in order:
        return Way.TIGHTER if after == "every_candidate" else Way.LOOSER
    return Way.UNCLEAR


def effective(before: Effective | None, after: Effective | None) -> Way:
    """A day on which the rule is no longer asked is a loosening."""
    old, new = before or Effective(), after or Effective()
    begins = [day or date.min for day in (old.from_, new.from_)]
    return together([reverse(_end(*begins)), _end(old.to, new.to)])


def _end(before: Any, after: Any) -> Way:
    """The upper end of a range, None if it is open: the further out the stricter."""
    if before == after:
        return Way.SAME
    if before is None or after is None:
        return Way.LOOSER if before is None else Way.TIGHTER
    return Way.TIGHTER if after > before else Way.LOOSER


def scope(before: Scope, after: Scope) -> Way:
    """`applies`: whatever the rule is no longer about is let go."""
    return together(
        _reach(key, getattr(before, key), getattr(after, key)) for key in Scope.__struct_fields__
    )


def _reach(key: str, before: Any, after: Any) -> Way:
    if key == "days_past_due":
        return _days_past_due(before, after)
    if isinstance(before, bool) or isinstance(after, bool):
        return reaches(_alone(before), _alone(after))
    if key == "channel":
        return reaches(_channels(before), _channels(after))
    return reaches(before, after)


def _alone(value: bool | None) -> frozenset[bool] | None:
    return None if value is None else frozenset({value})


def _channels(value: frozenset[str] | None) -> frozenset[str] | None:
    return None if value is None else spelled_out(value)


def _days_past_due(before: DaysPastDue | None, after: DaysPastDue | None) -> Way:
    old, new = before or DaysPastDue(), after or DaysPastDue()
    return together([reverse(_end(old.min or 0, new.min or 0)), _end(old.max, new.max)])


def unless(before: tuple[Condition, ...], after: tuple[Condition, ...]) -> Way:
    """Each exception of the new rule must be inside one of the old rule's."""
    if before == after:
        return Way.SAME
    if all(any(_inside(new, old) for old in before) for new in after):
        return Way.TIGHTER
    return Way.LOOSER


def _inside(new: Condition, old: Condition) -> bool:
    """Whenever the new condition holds, so does the old one."""
    return all(
        _key_inside(key, getattr(new, key), getattr(old, key))
        for key in Condition.__struct_fields__
        if getattr(old, key) is not None
    )


def _key_inside(key: str, new: Any, old: Any) -> bool:
    if new == old:
        return True
    if new is None:
        return False
    if key in ONLY_IN_STOP_WHEN:
        return bool(new <= old)
    if key == "consent":
        ways = [
            accepts(old.form, new.form),
            accepts(old.given_to, new.given_to),
            lower(old.max_days, new.max_days),
            demanded(old.ends_on, new.ends_on),
        ]
        return new.to == old.to and together(ways) in (Way.SAME, Way.TIGHTER)
    if key == "reply":
        # Looking at one channel only may hide an answer already given on another.
        if new.same_channel != old.same_channel or (old.once and not new.once):
            return False
        if "same_day" in (new.within, old.within):
            return bool(new.within == old.within)
        return bool(new.within <= old.within)
    if key == "days_past_due":
        return _days_past_due(new, old) in (Way.SAME, Way.TIGHTER)
    if key == "channel":
        return bool(spelled_out(new) <= spelled_out(old))
    return isinstance(new, frozenset) and bool(new <= old)


def key(before: frozenset[str], after: frozenset[str]) -> Way:
    """Past entries must fit under every key, so fewer keys count more of them; a household holds
    the person."""
    if before == after:
        return Way.SAME
    if "person" in before and "household" in after:
        before = before - {"person"} | {"household"}
        return Way.TIGHTER if before >= after else Way.LOOSER
    return fewer(before, after)


def entries(unit: Unit, direction: str, default: Callable[[Any], Any]) -> Compare:
    """Which past entries count: the more the stricter. Takes the two rules, for the channels may
    be those of `applies`; `default(rule)` is the filter as written."""

    def compare(before: Any, after: Any) -> Way:
        ways = []
        old, new = (_resolved(default(rule), rule, unit, direction) for rule in (before, after))
        ways.append(more(old[0], new[0]))
        ways.append(reaches(old[1], new[1]))
        ways.append(reaches(old[2], new[2]))
        for name in ("purposes", "classes", "places", "technologies"):
            ways.append(reaches(getattr(default(before), name), getattr(default(after), name)))
        return together(ways)

    return compare


def _resolved(
    written: EntryFilter, rule: Any, unit: Unit, direction: str
) -> tuple[frozenset[str], frozenset[str] | None, frozenset[str] | None]:
    channels = written.channels
    if channels is None and rule.kind == "frequency_cap":
        channels = rule.applies.channel
    way = written.direction or direction
    return (
        outcomes_of(written.unit or unit),
        _channels(channels),
        None if way == "any" else frozenset({way}),
    )
