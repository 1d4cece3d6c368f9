"""Something else must come first: a notice old enough, meetings missed, earlier contacts."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Struct

from services.policy import words
from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Objection, Standing
from services.policy.blocks.channels import spelled_out
from services.policy.blocks.durations import Calendars, Duration, Length, counted
from services.policy.blocks.entries import EntryFilter, UnitOrOutcomes, described
from services.policy.blocks.localtime import NEVER, Zone, day_number, seconds
from services.policy.blocks.outcomes import outcomes_of
from services.policy.blocks.sentences import free_again
from services.policy.blocks.zones import EVERY_CANDIDATE, ZonePolicy, Zones
from services.policy.facts import Notice
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Invalid, Path, ReadBy, read
from services.policy.values import Count
from services.policy.words import as_text


class NoticeFirst(Struct, frozen=True, kw_only=True):
    notice: words.NoticeKind
    min_age: Duration | None = None
    max_age: Duration | None = None
    after_period: bool = False


class FactFirst(Struct, frozen=True, kw_only=True):
    fact: Literal["missed_meetings"]
    at_least: Count


class Contacts(Struct, frozen=True, kw_only=True):
    unit: UnitOrOutcomes | None = None
    channels: frozenset[words.ChannelOrGroup] | None = None


class ContactsFirst(Struct, frozen=True, kw_only=True):
    contacts: Contacts
    at_least: Count


Require = NoticeFirst | FactFirst | ContactsFirst


def _read_require(value: object, path: Path) -> Require:
    if isinstance(value, Mapping) and "contacts" in value:
        return read(ContactsFirst, value, path)
    if isinstance(value, Mapping) and "fact" in value:
        return read(FactFirst, value, path)
    if isinstance(value, Mapping) and "notice" in value:
        return read(NoticeFirst, value, path)
    raise Invalid(path, "must be a map with `notice`, `fact` or `contacts`")


class SequenceGate(Rule, frozen=True, kw_only=True):
    require: Annotated[Require, ReadBy(_read_require)]
    zones: ZonePolicy = EVERY_CANDIDATE


def sequence_gate(rule: SequenceGate, calendars: Calendars) -> Bind:
    """Raises UnknownCalendar."""
    match rule.require:
        case NoticeFirst() as required:
            return _notice_first(required, calendars)
        case FactFirst(at_least=least):
            return _meetings_first(least)
        case ContactsFirst(contacts=contacts, at_least=least):
            return _contacts_first(contacts, least)


def _meetings_first(least: int) -> Bind:
    def bind(question: Question, zones: Zones) -> Bar | None:
        if question.facts.debt.missed_meetings >= least:
            return None
        missed = counted(least, "repayment meeting")
        return Standing(_CODE, f"This step is open only after {missed} in succession were missed.")

    return bind


def _contacts_first(contacts: Contacts, least: int) -> Bind:
    outcomes = outcomes_of(contacts.unit or "attempt")
    channels = None if contacts.channels is None else spelled_out(contacts.channels)
    what = described(EntryFilter(unit=contacts.unit), unit="attempt")

    def bind(question: Question, zones: Zones) -> Bar | None:
        made = sum(
            entry.direction == "outbound"
            and entry.outcome in outcomes
            and (channels is None or entry.channel in channels)
            and question.about_this_debt(entry)
            for _, entry in question.history
        )
        if made >= least:
            return None
        return Standing(
            _CODE, f"This step is open only after {least} {what}; {made} are on record."
        )

    return bind


class Age(Struct, frozen=True):
    """When a notice counts, in one zone: from `ripe` (None: nobody knows), before `stale`."""

    sent: int
    ripe: int | None
    stale: int


def _notice_first(required: NoticeFirst, calendars: Calendars) -> Bind:
    least = required.min_age.length(calendars, inclusive=False) if required.min_age else None
    most = required.max_age.length(calendars, inclusive=False) if required.max_age else None
    lengths = [length for length in (least, most) if length is not None]
    local = required.after_period or any(length.elapsed is None for length in lengths)
    name = as_text(required.notice)

    def age(notice: Notice, zone: Zone | None) -> Age:
        sent = seconds(notice.sent)
        ripe = sent if least is None else _old_enough(sent, least, zone)
        stale = NEVER if most is None else _too_old(sent, most, zone)
        if required.after_period:
            over = _period_over(notice, zone)
            return Age(sent, None if over is None else max(ripe, over), stale)
        return Age(sent, ripe, stale)

    def bind(question: Question, zones: Zones) -> Bar | None:
        notices = [
            notice
            for notice in question.facts.notices
            if notice.kind == required.notice and not notice.returned
        ]
        if not notices:
            return Standing(_CODE, f"A {name} must have been sent first.")
        if local and not zones:
            return ZONE_UNKNOWN
        used: tuple[Zone | None, ...] = zones if local else (None,)
        return Gate([[age(n, zone) for n in notices] for zone in used], zones, name)

    return bind


def _period_over(notice: Notice, zone: Zone | None) -> int | None:
    """The first instant after the period the notice opened; None if its end is not on record."""
    if notice.period_ends is None:
        return None
    assert zone is not None
    return zone.starts(day_number(notice.period_ends) + 1)


def _old_enough(sent: int, least: Length, zone: Zone | None) -> int:
    """The first instant of the age required: the n-th day itself will do."""
    if least.elapsed is not None:
        return sent + least.elapsed
    assert zone is not None
    return max(sent, zone.starts(least.last_day(zone.day(sent))))


def _too_old(sent: int, most: Length, zone: Zone | None) -> int:
    """The first instant of an age beyond what is allowed: the n-th day, or the last second, is
    still in.
    """
    if most.elapsed is not None:
        return sent + most.elapsed + 1
    return most.end(sent, zone)


class Gate:
    """Open when, in every zone, one of the notices counts."""

    __slots__ = ("_ages", "_name", "_zones")

    def __init__(self, ages: list[list[Age]], zones: Zones, name: str) -> None:
        self._ages = ages
        self._zones = zones
        self._name = name

    def blocks(self, t: int) -> bool:
        return not all(_opens(here, t) for here in self._ages)

    def changes(self, t: int) -> int:
        edges = [
            edge
            for here in self._ages
            for age in here
            for edge in (age.sent, age.ripe, age.stale)
            if edge is not None and edge > t
        ]
        return min(edges, default=NEVER)

    def objection(self, t: int) -> Objection:
        """Curable if, in every zone where it is shut, there is a notice merely too young."""
        curable = all(_opens(here, t) or _ripens(here, t) for here in self._ages)
        return Objection(_CODE, curable, lambda until: self._says(curable, t, until))

    def _says(self, curable: bool, t: int, until: int | None) -> str:
        if not curable:
            return f"The {self._name} that must come first is not there, or too old."
        return f"The {self._name} is too young. {free_again(self._zones, t, until)}"


def _opens(ages: list[Age], t: int) -> bool:
    return any(a.ripe is not None and a.sent <= t and a.ripe <= t < a.stale for a in ages)


def _ripens(ages: list[Age], t: int) -> bool:
    return any(a.ripe is not None and a.sent <= t < min(a.ripe, a.stale) for a in ages)


_CODE = "escalation_gate"
