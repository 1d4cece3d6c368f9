"""Consents: which of them cover this contact, and when they live (rules.md 6.6)."""

from typing import Literal

from msgspec import Struct

from services.policy import words
from services.policy.blocks.bars import Timed
from services.policy.blocks.channels import VOICE, covers
from services.policy.blocks.hours import WeeklyHours, recurring
from services.policy.blocks.localtime import NEVER, day_number, seconds
from services.policy.blocks.outcomes import UNITS
from services.policy.blocks.zones import Zones
from services.policy.facts import Consent
from services.policy.question import Question
from services.policy.values import Count


class ConsentTo(Struct, frozen=True, kw_only=True):
    """As written in a rule: which consents count."""

    to: words.ConsentKind
    form: frozenset[words.Form] | None = None
    given_to: frozenset[words.GivenTo] | None = None
    max_days: Count | None = None
    ends_on: Literal["conversation"] | None = None


class Leave:
    """One consent, as long as it lives. It holds only where it holds in every zone."""

    __slots__ = ("_end", "_hours", "_start", "_zones")

    def __init__(self, start: int, end: int, hours: WeeklyHours | None, zones: Zones) -> None:
        self._start, self._end = start, end
        self._hours = hours
        self._zones = zones

    def holds(self, t: int) -> bool:
        if not self._start <= t < self._end:
            return False
        hours = self._hours
        return hours is None or all(hours.is_open(zone, t) for zone in self._zones)

    def changes(self, t: int) -> int:
        if t < self._start:
            return self._start
        if t >= self._end:
            return NEVER
        if self._hours is None:
            return self._end
        marks = self._hours.marks
        return min(self._end, *(zone.next_mark(t, marks) for zone in self._zones))


def leaves(question: Question, wanted: ConsentTo, zones: Zones) -> tuple[list[Timed], bool]:
    """The consents that cover the contact as far as the clock allows; and: was there one we could
    not judge, because it has dates or hours and nobody knows the zone?
    """
    found: list[Timed] = []
    unjudged = False
    for consent in question.facts.consents:
        if not _covers(consent, wanted, question):
            continue
        dated = consent.until is not None or wanted.max_days is not None
        if not zones and (dated or consent.hours is not None):
            unjudged = True
            continue
        received = seconds(consent.received)
        end = NEVER if consent.revoked is None else seconds(consent.revoked)
        for zone in zones if dated else ():
            if consent.until is not None:
                end = min(end, zone.starts(day_number(consent.until) + 1))
            if wanted.max_days is not None:
                end = min(end, zone.starts(zone.day(received) + wanted.max_days))
        if end <= question.now or end <= received:
            continue
        hours = consent.hours
        weekly = None if hours is None else recurring(hours.days, hours.from_, hours.to)
        found.append(Leave(received, end, weekly, zones))
    return found, unjudged


def _covers(consent: Consent, wanted: ConsentTo, question: Question) -> bool:
    """Everything but the clock. What is unknown does not loosen: a consent to contact at one number
    does not cover a contact at a number nobody named, nor one in an unknown form a rule that wants
    it written.
    """
    return (
        consent.to == wanted.to
        and (wanted.given_to is None or consent.given_to in wanted.given_to)
        and (wanted.form is None or consent.form in wanted.form)
        and (consent.channels is None or covers(consent.channels, question.channel))
        and (consent.debts is None or question.debt_id in consent.debts)
        and (consent.contact_points is None or question.point_id in consent.contact_points)
        and not (wanted.ends_on is not None and _talked_since(seconds(consent.received), question))
    )


def _talked_since(received: int, question: Question) -> bool:
    """Has there been a voice conversation with this person after it was given?"""
    return any(
        at > received
        and entry.channel in VOICE
        and entry.outcome in UNITS["conversation"]
        and entry.person == question.person
        for at, entry in question.history
    )
