"""No contact too soon after an event, such as a conversation: the day of the event is day one."""

from services.policy import words
from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Objection
from services.policy.blocks.durations import Calendars, Duration, Length
from services.policy.blocks.entries import EntryFilter, matching
from services.policy.blocks.keys import MultiDebt, belonging
from services.policy.blocks.localtime import NEVER
from services.policy.blocks.sentences import free_again
from services.policy.blocks.zones import EVERY_CANDIDATE, ZonePolicy, Zones
from services.policy.question import Question
from services.policy.rule import Bind, Rule


class CooldownAfter(Rule, frozen=True, kw_only=True):
    trigger: EntryFilter
    lasts: Duration
    key: frozenset[words.KeyName]
    multi_debt: MultiDebt = "each"
    zones: ZonePolicy = EVERY_CANDIDATE


def cooldown_after(rule: CooldownAfter, calendars: Calendars) -> Bind:
    """Raises UnknownCalendar."""
    matches = matching(rule.trigger, unit="conversation", direction="any")
    belongs = belonging(rule.key, rule.multi_debt)
    length = rule.lasts.length(calendars, inclusive=True)
    local = length.elapsed is None

    def bind(question: Question, zones: Zones) -> Bar | None:
        events = [
            at for at, entry in question.history if matches(entry) and belongs(question, entry)
        ]
        if not events:
            return None
        if local and not zones:
            return ZONE_UNKNOWN
        latest = max(events)  # whatever follows an earlier one ends no later
        free_at = max([length.end(latest, zone) for zone in zones or (None,)])
        return Cooling(free_at, length, zones) if free_at > question.now else None

    return bind


class Cooling:
    """Too soon before `free_at`."""

    __slots__ = ("_free_at", "_length", "_zones")

    def __init__(self, free_at: int, length: Length, zones: Zones) -> None:
        self._free_at = free_at
        self._length = length
        self._zones = zones

    def blocks(self, t: int) -> bool:
        return t < self._free_at

    def changes(self, t: int) -> int:
        return self._free_at if t < self._free_at else NEVER

    def objection(self, t: int) -> Objection:
        return Objection("cooldown", True, lambda until: self._says(t, until))

    def _says(self, t: int, until: int | None) -> str:
        again = free_again(self._zones, t, until)
        return f"An earlier contact bars another for {self._length}. {again}"


def no_event(rule: CooldownAfter, question: Question) -> bool:
    """No contact before."""
    return not question.history
