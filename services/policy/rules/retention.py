"""How long records are kept; it never blocks a contact, whoever deletes reads it."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Struct, field

from services.policy import words
from services.policy.blocks.bars import Bar
from services.policy.blocks.durations import Calendars
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Invalid, Path, ReadBy, known_keys, read


class Keep(Struct, frozen=True):
    """`years`, `months` or `days`, and how many."""

    unit: str
    count: int


def _read_keep(value: object, path: Path) -> Keep:
    given: Mapping[str, object] = known_keys(value, ("years", "months", "days"), path)
    if len(given) != 1:
        raise Invalid(path, "must have exactly one of years, months, days")
    ((unit, written),) = given.items()
    count = read(int, written, (*path, unit))
    if count < 0:
        raise Invalid((*path, unit), f"is {count}, must be 0 or more")
    return Keep(unit, count)


class Retention(Rule, frozen=True, kw_only=True):
    record: frozenset[words.RecordKind]
    from_: words.CountedFrom = field(name="from")
    min: Annotated[Keep, ReadBy(_read_keep)] | None = None
    max: Annotated[Keep, ReadBy(_read_keep)] | None = None


def retention(rule: Retention, calendars: Calendars) -> Bind:
    """Raises Invalid if the rule says neither how long at least nor at most."""
    if rule.min is None and rule.max is None:
        raise Invalid(("min",), "is required, unless there is `max`")
    return _never


def _never(question: Question, zones: Zones) -> Bar | None:
    return None


def no_contact_matter(rule: Retention, question: Question) -> bool:
    """How long records are kept has nothing to do with a contact."""
    return True
