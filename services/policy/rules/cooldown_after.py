"""No contact too soon after an event, such as a conversation: the day of the event is day one."""

from services.policy import words
from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Before
from services.policy.blocks.durations import Calendars, Duration
from services.policy.blocks.entries import EntryFilter, matching
from services.policy.blocks.keys import MultiDebt, belonging
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
        if free_at <= question.now:
            return None
        return Before(
            free_at,
            "cooldown",
            lambda t, until: (
                f"An earlier contact bars another for {length}. {free_again(zones, t, until)}"
            ),
        )

    return bind


def no_event(rule: CooldownAfter, question: Question) -> bool:
    """No contact before."""
    return not question.history
