"""Judges a run from the sandbox's record and the tables, by hand: no code of the services.

Invariants, after a run has healed:

  accepted     of all requests for one reminder the providers accepted at most one
  logged       every request had its attempt's row, committed in flight, when it arrived
  permitted    every request had a permit of policy's, and none came after it was settled otherwise
  lost         every reminder is in exactly one of the four ends, with a reason where it needs one
  truth        `sent` means a provider accepted; `suppressed`, `cancelled` and a proven `failed`
               mean that none did; an unknown outcome may be either
  balance      emitted = sent + suppressed + failed + cancelled, nothing open
  caps         no person was sent more than one message on a day, which is the house's cap
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import asyncpg

ENDS = {"sent", "suppressed", "failed", "cancelled"}
Line = Mapping[str, Any]


async def check(history: Path, database_url: str, expected: int) -> list[str]:
    """Every breach in words; `expected` is how many reminders were loaded and fell due."""
    requests = [
        line
        for line in map(json.loads, history.read_text().splitlines())
        if line["event"] == "request"
    ]
    connection = await asyncpg.connect(database_url)
    try:
        reminders = await connection.fetch(
            "SELECT reminder_id::text AS id, status, reason, emission, borrower_id::text AS who"
            " FROM scheduler.reminders WHERE emission > 0"
        )
        attempts = await connection.fetch(
            "SELECT attempt_id::text AS id, reminder_id::text AS reminder, state"
            " FROM notifier.attempts"
        )
        permits = await connection.fetch(
            "SELECT DISTINCT attempt_id::text AS id FROM policy.permits"
        )
    finally:
        await connection.close()
    reminder_of = {row["id"]: row["reminder"] for row in attempts}
    accepted = Counter(
        reminder_of.get(line["attempt_id"], "?") for line in requests if line["accepted"]
    )
    return [
        *_accepted_once(accepted),
        *_logged_before(requests, {row["id"] for row in permits}),
        *_none_lost(reminders, expected),
        *_truth(reminders, accepted),
        *_one_live_attempt(attempts),
        *_one_a_day(requests, reminder_of, {row["id"]: row["who"] for row in reminders}),
    ]


def _accepted_once(accepted: Counter[str]) -> list[str]:
    return [f"twice: reminder {r} accepted {n} times" for r, n in accepted.items() if n > 1] + [
        f"orphan: {n} accepted requests without an attempt" for r, n in accepted.items() if r == "?"
    ]


def _logged_before(requests: Sequence[Line], permits: set[str]) -> list[str]:
    found = []
    for line in requests:
        row = (line.get("attempt_seen") or {}).get("at_arrival")
        if row and "error" in row:
            continue  # PostgreSQL was away: nobody could look
        if row is None:
            found.append(f"unlogged: request {line['n']} had no attempt row when it arrived")
        elif row["state"] in ("intent", "suppressed", "deferred", "lapsed"):
            found.append(f"unlogged: request {line['n']} arrived while {row['state']}")
        if line["attempt_id"] not in permits:
            found.append(f"unpermitted: request {line['n']} had no permit")
    return found


def _none_lost(reminders: Sequence[Line], expected: int) -> list[str]:
    found = []
    if len(reminders) < expected:
        found.append(f"lost: {expected} fell due, {len(reminders)} were emitted")
    for row in reminders:
        if row["status"] not in ENDS:
            found.append(f"open: reminder {row['id']} is {row['status']}")
        elif row["status"] != "sent" and not row["reason"]:
            found.append(f"unexplained: reminder {row['id']} is {row['status']} without a reason")
    return found


def _truth(reminders: Sequence[Line], accepted: Counter[str]) -> list[str]:
    found = []
    for row in reminders:
        count, status = accepted.get(row["id"], 0), row["status"]
        if status == "sent" and count == 0:
            found.append(f"untrue: reminder {row['id']} is sent, but nobody accepted it")
        if status in ("suppressed", "cancelled") and count:
            found.append(f"untrue: reminder {row['id']} is {status}, but it was accepted")
        if status == "failed" and row["reason"] != "outcome_unknown" and count:
            found.append(
                f"untrue: reminder {row['id']} failed as {row['reason']}, yet was accepted"
            )
    return found


def _one_live_attempt(attempts: Sequence[Line]) -> list[str]:
    dead = {"rejected", "not_sent", "suppressed", "deferred", "lapsed"}
    live: dict[str, int] = defaultdict(int)
    for row in attempts:
        live[row["reminder"]] += row["state"] not in dead
    return [f"live: reminder {r} has {n} live attempts" for r, n in live.items() if n > 1]


def _one_a_day(
    requests: Sequence[Line], reminder_of: Mapping[str, str], who: Mapping[str, str]
) -> list[str]:
    days = Counter(
        (who.get(reminder_of.get(line["attempt_id"], "?"), "?"), line["t_business"][:10])
        for line in requests
        if line["accepted"] and line["t_business"]  # PostgreSQL was away: nobody could look
    )
    return [f"cap: {person} was sent {n} on {day}" for (person, day), n in days.items() if n > 1]
