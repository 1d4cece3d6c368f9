"""No more contacts than so many within a window of time: earlier ones that count, and this one."""

from typing import Annotated, Literal

from services.policy import words
from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Before
from services.policy.blocks.channels import counted_as
from services.policy.blocks.counting import Counting, read_window
from services.policy.blocks.durations import Calendars, counted
from services.policy.blocks.entries import EntryFilter, UnitOrOutcomes, described, matching
from services.policy.blocks.keys import MultiDebt, belonging
from services.policy.blocks.localtime import NEVER
from services.policy.blocks.outcomes import outcomes_of
from services.policy.blocks.sentences import free_again
from services.policy.blocks.zones import EVERY_CANDIDATE, ZonePolicy, Zones
from services.policy.question import Past, Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Invalid, Path, ReadBy, known_keys
from services.policy.values import Count


def _read_aggregate(value: object, path: Path) -> Literal["count", "distinct"]:
    if value == "count":
        return "count"
    given = known_keys(value, ("distinct",), path)
    if given.get("distinct") != "channel":
        raise Invalid(path, "write count, or {distinct: channel}")
    return "distinct"


class FrequencyCap(Rule, frozen=True, kw_only=True):
    max: Count
    window: Annotated[Counting, ReadBy(read_window)]
    key: frozenset[words.KeyName]
    counts: EntryFilter = EntryFilter()
    aggregate: Annotated[Literal["count", "distinct"], ReadBy(_read_aggregate)] = "count"
    exclude: frozenset[Literal["consented", "reply", "requested"]] = frozenset()
    multi_debt: MultiDebt = "each"
    starts_after: UnitOrOutcomes | None = None
    zones: ZonePolicy = EVERY_CANDIDATE


def frequency_cap(rule: FrequencyCap, calendars: Calendars) -> Bind:
    matches = matching(
        rule.counts, unit="attempt", direction="outbound", channels=rule.applies.channel
    )
    belongs = belonging(rule.key, rule.multi_debt)
    started = outcomes_of(rule.starts_after) if rule.starts_after is not None else None
    most, window, distinct = rule.max, rule.window, rule.aggregate == "distinct"
    local = window.rolling is None

    def bind(question: Question, zones: Zones) -> Bar | None:
        if started is not None and not any(
            entry.outcome in started and belongs(question, entry) for _, entry in question.history
        ):
            return None
        if local and not zones:
            return ZONE_UNKNOWN
        if len(question.history) < most:
            return None
        if most == 0:
            return _full(NEVER, rule, zones)
        # What is older than any window of this kind no longer counts, and never will again.
        oldest = question.now - window.longest
        counting = [
            past
            for past in question.history
            if past[0] > oldest and matches(past[1]) and belongs(question, past[1])
        ]
        if len(counting) < most:
            return None
        if rule.exclude:
            counting = [past for past in counting if not _excluded(rule.exclude, past, question)]
        instants = (
            _latest_of_other_channels(counting, question.channel)
            if distinct
            else [at for at, _ in counting]
        )
        if len(instants) < most:
            return None
        # As long as this one counts, so do the later ones, and there is no room for one more.
        instants.sort(reverse=True)
        pivot = instants[most - 1]
        free_at = (
            max([window.ends(pivot, zone) for zone in zones]) if local else window.ends(pivot, None)
        )
        return _full(free_at, rule, zones) if free_at > question.now else None

    return bind


def _full(free_at: int, rule: FrequencyCap, zones: Zones) -> Before:
    """No room before `free_at`."""
    code = "channel_exclusivity" if rule.aggregate == "distinct" else "frequency_cap"
    return Before(free_at, code, lambda t, until: _says(rule, zones, t, until))


def _says(rule: FrequencyCap, zones: Zones, t: int, until: int | None) -> str:
    if rule.max == 0:
        return "This rule leaves no room for such a contact."
    if rule.aggregate == "distinct":
        channels = counted(rule.max, "channel")
        what = f"Only {channels} may be used {rule.window}, and this would be one more."
    else:
        kind = described(rule.counts, unit="attempt")
        what = f"At most {rule.max} {kind} may be made {rule.window}, and that number is reached."
    return f"{what} {free_again(zones, t, until)}"


def _latest_of_other_channels(counting: list[Past], channel: str) -> list[int]:
    """When each channel other than this contact's was last used; voice is one channel."""
    latest: dict[str, int] = {}
    for at, entry in counting:
        name = counted_as(entry.channel)
        latest[name] = max(at, latest.get(name, at))
    latest.pop(counted_as(channel), None)
    return list(latest.values())


def _excluded(exclude: frozenset[str], past: Past, question: Question) -> bool:
    entry = past[1]
    if entry.consented and "consented" in exclude:
        return True
    if entry.in_reply_to is None:
        return False
    if "reply" in exclude:
        return True
    return "requested" in exclude and any(
        other.id == entry.in_reply_to and other.requests_contact for _, other in question.history
    )


def nothing_counted(rule: FrequencyCap, question: Question) -> bool:
    """No contact before, and one is allowed; local dates without a zone are another matter."""
    local = rule.window.rolling is None
    return not question.history and rule.max > 0 and bool(question.best_zones or not local)
