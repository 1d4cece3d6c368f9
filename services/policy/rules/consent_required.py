"""No contact without a live consent that covers it; and only to a number or address that proved
itself lately.
"""

from typing import Literal

from msgspec import Struct

from services.policy import words
from services.policy.blocks.bars import ZONE_UNKNOWN, Bar, Objection, Timed
from services.policy.blocks.consents import ConsentTo, leaves
from services.policy.blocks.durations import Calendars, counted
from services.policy.blocks.localtime import NEVER, day_number
from services.policy.blocks.zones import EVERY_CANDIDATE, ZonePolicy, Zones
from services.policy.question import Question
from services.policy.rule import Bind, Rule
from services.policy.strict import Invalid
from services.policy.values import Count


class Recheck(Struct, frozen=True, kw_only=True):
    days: Count
    by: frozenset[Literal["inbound", "check"]]


class ConsentRequired(Rule, frozen=True, kw_only=True):
    """At least one of `to` and `recheck`."""

    to: words.ConsentKind | None = None
    form: frozenset[words.Form] | None = None
    given_to: frozenset[words.GivenTo] | None = None
    max_days: Count | None = None
    ends_on: Literal["conversation"] | None = None
    recheck: Recheck | None = None
    zones: ZonePolicy = EVERY_CANDIDATE


def consent_required(rule: ConsentRequired, calendars: Calendars) -> Bind:
    """Raises Invalid if the rule requires nothing."""
    if rule.to is None and rule.recheck is None:
        raise Invalid(("to",), "is required, unless there is `recheck`")
    wanted = rule.to and ConsentTo(
        to=rule.to,
        form=rule.form,
        given_to=rule.given_to,
        max_days=rule.max_days,
        ends_on=rule.ends_on,
    )
    recheck = rule.recheck

    def bind(question: Question, zones: Zones) -> Bar | None:
        found: list[Timed] | None = None
        if wanted is not None:
            found, unjudged = leaves(question, wanted, zones)
            if unjudged and not any(leave.holds(question.now) for leave in found):
                return ZONE_UNKNOWN
        proved: int | None = None
        if recheck is not None:
            proved = _proved_until(recheck, question, zones)
            if proved is None:
                return ZONE_UNKNOWN
        return Unproved(found, proved, recheck)

    return bind


class Unproved:
    """Blocks while no consent (`leaves`, None if none is needed) is live, and from `proved` on."""

    __slots__ = ("_leaves", "_proved", "_recheck")

    def __init__(
        self, leaves: list[Timed] | None, proved: int | None, recheck: Recheck | None
    ) -> None:
        self._leaves = leaves
        self._proved = NEVER if proved is None else proved
        self._recheck = recheck

    def blocks(self, t: int) -> bool:
        return t >= self._proved or self._lacks_consent(t)

    def changes(self, t: int) -> int:
        edges = [leave.changes(t) for leave in self._leaves or ()]
        return min([self._proved if t < self._proved else NEVER, *edges])

    def objection(self, t: int) -> Objection:
        if self._lacks_consent(t):
            return Objection("consent_missing", False, lambda until: _MISSING)
        assert self._recheck is not None
        days = counted(self._recheck.days, "day")
        return Objection("reassigned_number_check", False, lambda until: _UNPROVED.format(days))

    def _lacks_consent(self, t: int) -> bool:
        return self._leaves is not None and not any(leave.holds(t) for leave in self._leaves)


_MISSING = "No consent that this rule accepts covers this contact."
_UNPROVED = "Nothing has shown within {} that this number or address is still the borrower's."


def _proved_until(recheck: Recheck, question: Question, zones: Zones) -> int | None:
    """The instant from which what the number or address last proved is too old, in the strictest
    zone; None if that can't be told without a zone.
    """
    heard = [
        at
        for at, entry in (question.history if "inbound" in recheck.by else ())
        if entry.direction == "inbound"
        and entry.person == question.person
        and entry.channel == question.channel
        and (
            question.point_id is None
            or entry.contact_point is None
            or entry.contact_point == question.point_id
        )
    ]
    checked = question.contact.contact_point.checked_on if "check" in recheck.by else None
    if not heard and checked is None:
        return question.now
    if not zones:
        return None
    ends: list[int] = []
    for zone in zones:
        proofs = [zone.day(max(heard))] if heard else []
        if checked is not None and day_number(checked) <= zone.day(question.now):
            proofs.append(day_number(checked))
        last = max(proofs, default=None)
        ends.append(question.now if last is None else zone.starts(last + recheck.days + 1))
    return min(ends)
