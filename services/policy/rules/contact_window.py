"""Contact only while the clock shows open hours, in every zone the borrower may be in; or as the
borrower wishes.
"""

from functools import lru_cache
from typing import Annotated

from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Objection
from services.policy.blocks.durations import Calendars, named
from services.policy.blocks.hours import Hours, WeeklyHours, recurring
from services.policy.blocks.localtime import ALWAYS, NEVER, UnknownZone, Zone, seconds, zone
from services.policy.blocks.sentences import day_in_words, moment, reading
from services.policy.blocks.stretches import Stretches
from services.policy.blocks.zones import EVERY_CANDIDATE, ZonePolicy, Zones
from services.policy.facts import FactsError, Preference
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Invalid, Path, ReadBy


def _read_hours(value: object, path: Path) -> Hours | None:
    return None if value == "preferences" else Hours.read(value, path)


class ContactWindow(Rule, frozen=True, kw_only=True):
    """`hours` is None for the wishes on record (`preferences`)."""

    hours: Annotated[Hours | None, ReadBy(_read_hours)]
    calendar: str | None = None
    zones: ZonePolicy = EVERY_CANDIDATE


def contact_window(rule: ContactWindow, calendars: Calendars) -> Bind:
    """Raises Invalid where hours of a day class have no calendar, UnknownCalendar."""
    calendar = named(calendars, rule.calendar)
    if rule.hours is None:
        return _wishes
    if rule.hours.classes and calendar is None:
        raise Invalid(("calendar",), "is required, because `hours` names holidays or half days")
    hours = WeeklyHours(rule.hours, calendar)
    windows: dict[Zones, Bar] = {}  # the same few zones come again and again

    def bind(question: Question, zones: Zones) -> Bar | None:
        found = windows.get(zones)
        if found is None:
            if len(windows) > 10_000:
                windows.clear()
            found = windows[zones] = Window(hours, zones) if zones else ZONE_UNKNOWN
        return found

    return bind


class Window:
    """Closed at `t` if it is closed in any of the zones."""

    __slots__ = ("_hours", "_zones", "blocks", "changes")

    def __init__(self, hours: WeeklyHours, zones: Zones) -> None:
        self._hours = hours
        self._zones = zones
        closed = Stretches(lambda t: self._closed(t)[0], zones, hours.marks, days=1_000)
        self.blocks, self.changes = closed.holds, closed.changes

    def _closed(self, t: int) -> tuple[str, Zone]:
        """The code of what closes it, and where; no code if nothing does."""
        closed = [each for each in self._zones if not self._hours.is_open(each, t)]
        return min(
            ((self._code(each, t), each) for each in closed),
            key=lambda found: _RANKS[found[0]],
            default=("", self._zones[0]),
        )

    def objection(self, t: int) -> Objection:
        code, here = self._closed(t)
        return Objection(code, True, lambda until: self._says(code, here, t, until))

    def _says(self, code: str, here: Zone, t: int, until: int | None) -> str:
        why = ""
        if (barred := self._barred(here, t)) is not None:
            why = f", and the hours of {day_in_words(barred)} are those of its holidays"
        elif code == "closed_day":
            why = f", and {day_in_words(here.day(t))} is a day without contact"
        return f"It is {_where(here, t, self._zones)}{why}. {self._opening(here, t, until)}"

    def _opening(self, here: Zone, t: int, until: int | None) -> str:
        """On the clock of the zone that opens then: elsewhere it may be any hour of the day."""
        there = here
        if until is not None and self._hours.is_open(here, until - 1):
            closed = (each for each in self._zones if not self._hours.is_open(each, until - 1))
            there = next(closed, here)
        return _opening(there, here, t, until, self._zones)

    def _code(self, here: Zone, t: int) -> str:
        if self._barred(here, t) is not None:
            return "holiday"
        return "outside_contact_window" if self._hours.of(here.day(t)) else "closed_day"

    def _barred(self, here: Zone, t: int) -> int | None:
        """The date whose class bars this instant: its own, or that of the evening before."""
        day = here.day(t)
        if self._hours.barred_by_class(day):
            return day
        return day - 1 if self._hours.barred_over_midnight(day, here.clock(t)) else None


_RANKS = {"holiday": 0, "closed_day": 1, "outside_contact_window": 2}


def _wishes(question: Question, zones: Zones) -> Bar | None:
    """The window of the borrower's own wishes; none if none is on record."""
    wishes = [
        Wish(preference, zones)
        for preference in question.facts.preferences
        if preference.withdrawn is None or seconds(preference.withdrawn) > question.now
    ]
    if not zones:
        if any(wish.zone is None and wish.begins <= question.now for wish in wishes):
            return ZONE_UNKNOWN
        wishes = [wish for wish in wishes if wish.zone is not None]
    if not wishes:
        return None
    return Wishes(wishes, zones or _ANY.alone)


class Wish:
    """One preference: lives from `begins`, before `ends`."""

    __slots__ = ("barred", "begins", "ends", "forbids", "zone")

    def __init__(self, preference: Preference, zones: Zones) -> None:
        self.forbids = preference.kind == "not_between"
        self.zone = _zone(preference.zone) if preference.zone else None
        self.begins = ALWAYS if preference.received is None else seconds(preference.received)
        self.ends = NEVER if preference.withdrawn is None else seconds(preference.withdrawn)
        hours = recurring(preference.days, preference.from_, preference.to)
        # For each zone of the rule. Without one every wish is read in its own.
        self.barred = [_barred(self.forbids, hours, self.zone or each) for each in zones or (_ANY,)]


@lru_cache(maxsize=1_000)
def _barred(forbids: bool, hours: WeeklyHours, here: Zone) -> Stretches:
    """Forbidden is forbidden in both passes of a repeated hour, allowed is allowed in the first."""

    def closed(t: int) -> bool:
        return not hours.is_open(here, t)

    def forbidden(t: int) -> bool:
        return hours.is_shown(here, t)

    return Stretches(forbidden if forbids else closed, here.alone, hours.marks, days=100)


def _zone(name: str) -> Zone:
    try:
        return zone(name)
    except UnknownZone as error:
        raise FactsError(f"preferences: {name!r} is not an IANA time zone") from error


class Wishes:
    """Closed inside a live `not_between`; outside all live `only_between`, if there are any."""

    __slots__ = ("_wishes", "_zones")

    def __init__(self, wishes: list[Wish], zones: Zones) -> None:
        self._wishes = wishes
        self._zones = zones

    def blocks(self, t: int) -> bool:
        for number in range(len(self._zones)):  # noqa: SIM110 (faster than any() over a generator)
            if self._wish_against(t, number):
                return True
        return False

    def changes(self, t: int) -> int:
        later = [edge for w in self._wishes for edge in (w.begins, w.ends) if edge > t]
        later.extend(barred.changes(t) for wish in self._wishes for barred in wish.barred)
        return min(later)

    def objection(self, t: int) -> Objection:
        return Objection("inconvenient_time_designated", True, lambda until: self._says(t, until))

    def _says(self, t: int, until: int | None) -> str:
        found = (self._wish_against(t, number) for number in range(len(self._zones)))
        here, wish = next((z, w) for z, w in zip(self._zones, found, strict=True) if w)
        there = wish.zone or here
        return (
            f"It is {_where(there, t, self._zones)}, a time the borrower asked not to be "
            f"contacted. {_opening(there, there, t, until, self._zones)}"
        )

    def _wish_against(self, t: int, number: int) -> Wish | None:
        """Why `t` is barred in the zone of this number: a wish that forbids it, or the first that
        doesn't offer it if none does.
        """
        unoffered: Wish | None = None
        offered = False
        for wish in self._wishes:
            if not wish.begins <= t < wish.ends:
                continue
            barred = wish.barred[number].holds(t)
            if wish.forbids and barred:
                return wish
            if not wish.forbids:
                offered = offered or not barred
                unoffered = unoffered or wish
        return None if offered else unoffered


_ANY = zone("UTC")


def _where(here: Zone, t: int, zones: Zones) -> str:
    if len(zones) > 1:
        return f"{reading(here, t)} where the borrower may be ({here.name})"
    return f"{reading(here, t)} for the borrower ({here.name})"


def _opening(there: Zone, here: Zone, t: int, until: int | None, zones: Zones) -> str:
    """On the clock of `there`, named where several are candidates; `here` told what time it is."""
    if until is None:
        return "No open hour follows within 45 days."
    if len(zones) == 1:
        return f"Contact may start {moment(there, until, t)}."
    day = "" if there.day(until) == here.day(t) else f"on {day_in_words(there.day(until))} "
    return f"Contact may start {day}at {reading(there, until)} ({there.name})."


def no_wish(rule: ContactWindow, question: Question) -> bool:
    """It is about wishes, and none is on record."""
    return rule.hours is None and not question.facts.preferences
