"""The policy of `decision_inputs` as one would write it by hand, for these twelve rules only."""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from services.policy.facts import Entry, Facts, Preference

DAY, HORIZON = 86_400, 45 * 86_400
VOICE = {"call", "voicemail", "ringless_voicemail"}
ELECTRONIC = {"sms", "whatsapp", "im", "email", "push", "chat", "social_dm"}
CONNECTED = {
    "reserved", "unknown", "no_answer", "mailbox_full", "voicemail_reached", "voicemail_left",
    "abandoned", "conversation", "sent", "delivered", "message",
}  # fmt: skip
FINAL = {"opt-out", "cease", "who", "identity", "work"}
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Answer = tuple[frozenset[str], int | None]  # the rules that block now; when none does, if ever


@cache
def _offset(zone: str, quarter: int) -> int:
    shift = datetime.fromtimestamp(quarter * 900, ZoneInfo(zone)).utcoffset()
    assert shift is not None
    return int(shift.total_seconds())


def by_hand(facts: Facts, now: datetime) -> Answer:
    t = int(now.timestamp())
    found = _Found(facts, t)
    blocking = found.blocking(t)
    if not blocking:
        return frozenset(), t
    if not FINAL.isdisjoint(blocking):
        return frozenset(blocking), None
    return frozenset(blocking), found.first_free(t)


class _Found:
    """What the rules need of one set of facts."""

    __slots__ = (
        "asked", "calls", "day", "electronic", "final", "free_hours", "latest_talk", "offsets",
        "opt_outs", "voice", "week", "wishes",
    )  # fmt: skip

    def __init__(self, facts: Facts, t: int) -> None:
        contact = facts.contact
        channel, person = contact.channel, contact.person or contact.recipient
        debt, us = facts.debt.id, facts.actor.id
        self.voice, self.electronic = channel in VOICE, channel in ELECTRONIC
        self.offsets = [_offset(each.zone, t // 900) for each in facts.borrower.zones]
        self.calls: list[int] = []
        self.week: list[int] = []
        self.day: list[int] = []
        self.latest_talk = 0
        asked = answered = 0
        for entry in facts.history:
            if entry.person != person or entry.outcome == "cancelled":
                continue
            at = int(entry.at.timestamp())
            if at > t:
                continue
            inbound = entry.direction == "inbound"
            if entry.channel == channel:
                if inbound:
                    asked = max(asked, at)
                else:
                    answered = max(answered, at)
            about = entry.debts is None or debt in entry.debts
            if self.voice and about and entry.channel in VOICE and _ours(entry, us):
                if entry.outcome == "conversation" and at > self.latest_talk:
                    self.latest_talk = at
                if not inbound and entry.outcome in CONNECTED:
                    self.calls.append(at)
            if inbound:
                continue
            if about:
                self.week.append(at)
            if self.electronic and entry.channel in ELECTRONIC:
                self.day.append(at)
        self.asked = asked if answered <= asked else 0
        self.free_hours = any(
            each.to == "contact_time" and each.given_to == "actor" for each in facts.consents
        )
        self.wishes = facts.preferences
        self.final: list[str] = []
        self.opt_outs: list[int] = []
        for stop in facts.stops:
            if stop.ended is not None and stop.ended.timestamp() <= t:
                continue
            if stop.channels is not None and channel not in stop.channels:
                continue
            if stop.kind == "opt_out":
                assert stop.received is not None
                self.opt_outs.append(int(stop.received.timestamp()))
            elif stop.kind in ("cease", "refusal_to_pay", "attorney", "bankruptcy"):
                self.final.append("cease")
        if contact.recipient not in ("debtor", "spouse", "guarantor"):
            self.final.append("who")
        if contact.content is not None and "sender_name" not in contact.content.elements:
            self.final.append("identity")
        if contact.contact_point.place == "work":
            self.final.append("work")

    def blocking(self, t: int) -> list[str]:
        found = list(self.final)
        if self._opted_out(t):
            found.append("opt-out")
        for name, free in _WAITS.items():
            if free(self, t) > t:
                found.append(name)
        return found

    def first_free(self, now: int) -> int | None:
        t = now
        while t <= now + HORIZON:
            later = max(free(self, t) for free in _WAITS.values())
            if later == t:
                return None if self._opted_out(t) else t
            t = later
        return None

    def _opted_out(self, t: int) -> bool:
        answers = t <= self.asked + DAY
        return any(not (answers and self.asked > since) for since in self.opt_outs)

    def hours(self, t: int) -> int:
        if self.free_hours:
            return t
        return max(_open_from(t, offset, 8 * 3600, 21 * 3600, 7) for offset in self.offsets)

    def not_sunday(self, t: int) -> int:
        return max(_open_from(t, offset, 8 * 3600, 20 * 3600, 6) for offset in self.offsets)

    def wished(self, t: int) -> int:
        if not self.wishes or t <= self.asked + DAY:
            return t
        return max(_wished(wish, t, offset) for wish in self.wishes for offset in self.offsets)

    def seven_calls(self, t: int) -> int:
        return self._dated(self.calls, 7, t) if len(self.calls) >= 7 else t

    def three_a_week(self, t: int) -> int:
        return self._dated(self.week, 3, t) if len(self.week) >= 3 else t

    def two_a_day(self, t: int) -> int:
        if len(self.day) < 2:
            return t
        return max(t, sorted(self.day)[-2] + DAY)

    def after_talk(self, t: int) -> int:
        return self._dated([self.latest_talk], 1, t) if self.latest_talk else t

    def _dated(self, instants: list[int], most: int, t: int) -> int:
        """Free when the `most`-th latest is seven local dates old, in every zone."""
        last = sorted(instants)[-most]
        return max(t, *(((last + shift) // DAY + 7) * DAY - shift for shift in self.offsets))


def _ours(entry: Entry, us: str) -> bool:
    return entry.collector is None or entry.collector == us


def _open_from(t: int, offset: int, opens: int, closes: int, days: int) -> int:
    """The first instant from `t` on that is inside the hours of the first `days` weekdays."""
    day, clock = divmod(t + offset, DAY)
    while True:
        if (day + 3) % 7 < days:
            if clock < opens:
                return day * DAY + opens - offset
            if clock < closes:
                return day * DAY + clock - offset
        day, clock = day + 1, 0


def _wished(wish: Preference, t: int, offset: int) -> int:
    opens, closes = (int(each[:2]) * 3600 + int(each[3:]) * 60 for each in (wish.from_, wish.to))
    if wish.kind == "only_between":
        return _open_from(t, offset, opens, closes, 7 if wish.days == "daily" else 5)
    day, clock = divmod(t + offset, DAY)
    return day * DAY + closes - offset if opens <= clock < closes else t


_WAITS = {
    "hours": _Found.hours,
    "wishes": _Found.wished,
    "calls": _Found.seven_calls,
    "talk": _Found.after_talk,
    "three-a-week": _Found.three_a_week,
    "two-a-day": _Found.two_a_day,
    "not-sunday": _Found.not_sunday,
}
