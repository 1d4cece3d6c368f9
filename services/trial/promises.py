"""Checks the promises against the sandbox's own record, with an oracle of its own.

Knows nothing of the services' rules: the hours below are written down again, by hand, from the
house pack and the countries' laws, so that a mistake in a pack or in its evaluation shows here.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from services.trial.scenario import Done

Row = Mapping[str, str]

WEEKDAY, SATURDAY, SUNDAY = range(3)

# Nobody may be reached outside the house's hours, and in some places even those are too wide.
HOUSE_HOURS = (time(9), time(20))  # and never on a Sunday
PLACE_HOURS: dict[str, dict[int, tuple[time, time] | None]] = {
    "CO": {WEEKDAY: (time(7), time(19)), SATURDAY: (time(8), time(15)), SUNDAY: None},
    "BR": {WEEKDAY: (time(8), time(20)), SATURDAY: (time(8), time(14)), SUNDAY: None},
    "IN": {
        WEEKDAY: (time(9), time(18)),
        SATURDAY: (time(9), time(18)),
        SUNDAY: (time(9), time(18)),
    },
    "AU": {SATURDAY: (time(9), time(20)), SUNDAY: (time(9), time(20))},
}
# Over all loans and channels, per person and per household: a day, and seven days.
HOUSE_CAPS = ((1, 1), (7, 3))


@dataclass(frozen=True)
class Sent:
    """A message that the outside world accepted."""

    reminder_id: str
    loan_id: str
    row: Row  # of the book
    to: str
    channel: str
    business_at: datetime
    received_at: datetime


@dataclass(frozen=True)
class Standing:
    """Where a reminder stands in the scheduler's books."""

    status: str
    reason: str | None
    due_at: datetime
    awaited: bool  # held until a person mends something, or an attempt is under way or unknown


@dataclass
class Verdict:
    """One promise: how often it was broken, and the first few breaches in words."""

    name: str
    violations: list[str] = field(default_factory=list)


def read_history(path: Path) -> list[dict[str, Any]]:
    """Every line of the sandbox's record."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def accepted(
    history: Iterable[Mapping[str, Any]],
    reminder_of: Mapping[str, tuple[str, str]],
    rows: Sequence[Row],
) -> list[Sent]:
    """The requests that the sandbox accepted.  `reminder_of`: attempt → (reminder, loan)."""
    row_of = {row["loan_id"]: row for row in rows}
    found = []
    for line in history:
        if line["event"] != "request" or not line["accepted"]:
            continue
        reminder, loan = reminder_of.get(line["attempt_id"], ("", ""))
        found.append(
            Sent(
                reminder_id=reminder,
                loan_id=loan,
                row=row_of.get(loan, {}),
                to=line["to"],
                channel=line["channel"],
                business_at=datetime.fromisoformat(line["t_business"] or line["t_recv"]),
                received_at=datetime.fromisoformat(line["t_recv"]),
            )
        )
    return found


def check(sent: Sequence[Sent], done: Sequence[Done], explained: set[str]) -> list[Verdict]:
    """Every promise, judged.  `explained`: reminders with an allowing decision on record."""
    return [
        _twice(sent),
        _outside_window(sent),
        _over_cap(sent),
        _after_stop(sent, done),
        _unexplained(sent, explained),
    ]


def lost(
    planned: Set[str], books: Mapping[str, Standing], took: Set[str], now: datetime
) -> Verdict:
    """Whether each reminder is where somebody will find it.

    `planned`: listed before the first step.  `took`: those that the outside world says it accepted.
    """
    verdict = Verdict("lost")
    for reminder in sorted(planned | books.keys()):
        if astray := _astray(books.get(reminder), reminder in took, now):
            verdict.violations.append(f"reminder {reminder} {astray}")
    return verdict


def _astray(found: Standing | None, taken: bool, now: datetime) -> str:
    """What is wrong with where it stands, or nothing."""
    match found:
        case None:
            return "is gone"
        case Standing(status="planned"):
            return "" if found.due_at > now else "waits, though its hour has come"
        case Standing(status="due"):
            return "" if found.awaited else "was asked about, and nobody is at work on it"
        case Standing(status="sent"):
            return "" if taken else "counts as sent, and no provider took it"
        case Standing(status="suppressed" | "failed" | "cancelled"):
            return "" if found.reason else f"is {found.status} for no reason"
    return "is in no state that has a name"


def _twice(sent: Sequence[Sent]) -> Verdict:
    counts = Counter(message.reminder_id for message in sent)
    return Verdict("twice", [f"{n} x reminder {r}" for r, n in counts.items() if n > 1])


def _outside_window(sent: Sequence[Sent]) -> Verdict:
    verdict = Verdict("outside window")
    for message in sent:
        zone = message.row.get("zone") or ""
        if not zone:
            continue  # the candidate zones are the services' own affair; their overlap is tested
        local = message.business_at.astimezone(ZoneInfo(zone))
        day = {5: SATURDAY, 6: SUNDAY}.get(local.weekday(), WEEKDAY)
        house = None if day == SUNDAY else HOUSE_HOURS
        hours = [house, PLACE_HOURS.get(message.row["country"], {}).get(day, house)]
        for window in hours:
            if window is None or not window[0] <= local.time() < window[1]:
                verdict.violations.append(f"{message.row['country']} {local:%a %H:%M:%S} local")
                break
    return verdict


def _over_cap(sent: Sequence[Sent]) -> Verdict:
    verdict = Verdict("over cap")
    groups: dict[str, list[datetime]] = defaultdict(list)
    for message in sent:
        row = message.row
        zone = ZoneInfo(row.get("zone") or "UTC")
        if not row.get("zone"):
            continue
        who = row["household_ref"] or row["borrower_ref"]
        groups[f"household {who}"].append(message.business_at.astimezone(zone))
    for who, instants in groups.items():
        days = sorted(instant.date() for instant in instants)
        for window, most in HOUSE_CAPS:
            for last in days:
                first = last - timedelta(days=window - 1)
                if (count := sum(first <= day <= last for day in days)) > most:
                    verdict.violations.append(f"{who}: {count} in {window} d up to {last}")
                    break
    return verdict


def _after_stop(sent: Sequence[Sent], done: Sequence[Done]) -> Verdict:
    verdict = Verdict("after stop or payment")
    for answered in done:
        deed = answered.deed
        for message in sent:
            if message.received_at <= answered.answered_at:
                continue
            concerns = {
                "paid": message.loan_id == deed.row["loan_id"],
                "stop": message.to == deed.row["phone"],
                "hardship": message.row.get("borrower_ref") == deed.row["borrower_ref"],
            }.get(deed.kind, False)
            if concerns:
                verdict.violations.append(f"{deed.kind}: {message.channel} {message.business_at}")
    return verdict


def _unexplained(sent: Sequence[Sent], explained: set[str]) -> Verdict:
    missing = [message for message in sent if message.reminder_id not in explained]
    return Verdict("unexplained", [f"reminder {message.reminder_id or '?'}" for message in missing])
