"""No contact at this place, address or line, from this sender, or through this channel."""

from collections.abc import Callable, Mapping
from typing import Annotated

from msgspec import Struct

from services.policy import words
from services.policy.blocks.bars import Bar, Standing
from services.policy.blocks.channels import spelled_out
from services.policy.blocks.durations import Calendars
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Invalid, Path, ReadBy, known_keys, read
from services.policy.words import as_text


class Deny(Struct, frozen=True):
    """One fact, and the values of it that are barred."""

    key: str
    values: frozenset[object]


def _read_deny(value: object, path: Path) -> Deny:
    given = known_keys(value, tuple(_VALUES), path)
    if len(given) != 1:
        raise Invalid(path, f"has {len(given)} keys, must have exactly one; use a rule for each")
    ((key, listed),) = given.items()
    values: frozenset[object] = read(_VALUES[key], listed, (*path, key))
    return Deny(key, spelled_out(values) if key == "channel" else values)  # type: ignore[arg-type]


class ContactPointRule(Rule, frozen=True, kw_only=True):
    deny: Annotated[Deny, ReadBy(_read_deny)]


def contact_point_rule(rule: ContactPointRule, calendars: Calendars) -> Bind:
    key, barred = rule.deny.key, rule.deny.values
    fact = _FACTS[key]

    def bind(question: Question, zones: Zones) -> Bar | None:
        found = fact(question)
        return _bar(key, found) if found in barred else None

    return bind


def _bar(key: str, found: object) -> Bar:
    match key, found:
        case "place", "work":
            return Standing("workplace_prohibited", "Contact at the place of work is not allowed.")
        case "place", place:
            return Standing("place_prohibited", f"Contact at this place ({place}) is not allowed.")
        case "provided_by", provider:
            return Standing(
                "work_email",
                "An address provided by the employer may not be used."
                if provider == "employer"
                else f"An address of this origin (provided by: {provider}) may not be used.",
            )
        case "shared", shared:
            return Standing(
                "third_party_disclosure",
                "Others can read or hear what is sent there."
                if shared
                else "This rule bars lines that are not shared.",
            )
        case "caller_id", caller_id:
            return Standing(
                "identity_missing", f"Contact with the caller's number {caller_id} is not allowed."
            )
        case "device", device:
            return Standing("channel_prohibited", f"Contact from a {device} device is not allowed.")
        case _:
            channel = as_text(str(found))
            return Standing("channel_prohibited", f"Contact by {channel} is not allowed here.")


_VALUES: Mapping[str, type] = {
    "place": frozenset[words.Place],
    "provided_by": frozenset[words.ProvidedBy],
    "shared": frozenset[bool],
    "channel": frozenset[words.ChannelOrGroup],
    "caller_id": frozenset[words.CallerId],
    "device": frozenset[words.Device],
}

_FACTS: Mapping[str, Callable[[Question], object]] = {
    "place": lambda question: question.place,
    "provided_by": lambda question: question.contact.contact_point.provided_by,
    "shared": lambda question: question.contact.contact_point.shared,
    "channel": lambda question: question.channel,
    "caller_id": lambda question: question.contact.sender.caller_id,
    "device": lambda question: question.contact.sender.device,
}


def not_denied(rule: ContactPointRule, question: Question) -> bool:
    """What it denies is not so."""
    return _FACTS[rule.deny.key](question) not in rule.deny.values
