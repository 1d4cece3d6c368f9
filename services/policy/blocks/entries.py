"""Which earlier contacts a rule looks at: `counts` of a cap, `trigger` of a cooldown (rules.md 5.2,
5.3).
"""

from collections.abc import Callable
from typing import Annotated, Literal

from msgspec import Struct

from services.policy import words
from services.policy.blocks.channels import spelled_out
from services.policy.blocks.outcomes import Unit, outcomes_of
from services.policy.facts import Entry
from services.policy.strict import Path, ReadBy, one_of, read

Matches = Callable[[Entry], bool]


def _read_unit(value: object, path: Path) -> Unit:
    if isinstance(value, list):
        return read(frozenset[words.Outcome], value, path)
    return one_of(value, words.UNIT_NAMES, path)


UnitOrOutcomes = Annotated[Unit, ReadBy(_read_unit)]


class EntryFilter(Struct, frozen=True, kw_only=True):
    """As written in a rule. None: the default of the rule's kind."""

    channels: frozenset[words.ChannelOrGroup] | None = None
    unit: UnitOrOutcomes | None = None
    direction: Literal["outbound", "inbound", "any"] | None = None
    purposes: frozenset[words.Purpose] | None = None
    classes: frozenset[words.Class] | None = None
    places: frozenset[words.Place] | None = None
    technologies: frozenset[words.Technology] | None = None


def matching(
    written: EntryFilter,
    *,
    unit: Unit,
    direction: str,
    channels: frozenset[words.ChannelOrGroup] | None = None,
) -> Matches:
    """A test of one entry; `unit`, `direction`, `channels` are the defaults of the kind of rule."""
    chosen = written.channels or channels
    these = None if chosen is None else spelled_out(chosen)
    outcomes = outcomes_of(written.unit or unit)
    way = written.direction or direction
    purposes, classes = written.purposes, written.classes
    places, technologies = written.places, written.technologies

    def matches(entry: Entry) -> bool:
        return (
            (these is None or entry.channel in these)
            and entry.outcome in outcomes
            and (way == "any" or entry.direction == way)
            and (purposes is None or entry.purpose is None or entry.purpose in purposes)
            and (classes is None or entry.class_ in classes)
            and (places is None or entry.place in places)
            and (
                technologies is None or entry.technology is None or entry.technology in technologies
            )
        )

    return matches


def described(written: EntryFilter, *, unit: str) -> str:
    """How people name what is counted: `conversations`, `contacts made`."""
    chosen = written.unit or unit
    return _NOUNS.get(chosen, "contacts") if isinstance(chosen, str) else "contacts"


_NOUNS = {
    "attempt": "attempts",
    "connected": "connected attempts",
    "reached": "contacts that reached the person",
    "successful": "contacts made",
    "conversation": "conversations",
    "sent": "messages sent",
    "unanswered": "unanswered attempts",
}
