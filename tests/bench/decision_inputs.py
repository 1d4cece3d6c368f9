"""Twelve rules in three packs, and ten thousand questions to them, the same in every run."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from services.policy.facts import Facts
from services.policy.given_facts import facts_from
from services.policy.pack import load_text
from services.policy.ruleset import RuleSet, compile_rules

PACKS: Mapping[str, str] = {
    "federal": """
pack: federal
title: Federal rules, in short
jurisdiction: example
status: draft
rules:
  - {id: hours, kind: contact_window, cite: [a], hours: {daily: "08:00-21:00"},
     unless: [{consent: {to: contact_time, given_to: [actor]}}]}
  - {id: wishes, kind: contact_window, cite: [b], hours: preferences, unless: [{reply: {}}]}
  - {id: opt-out, kind: stop_when, cite: [c], fact: opt_out, unless: [{reply: {}}]}
  - {id: cease, kind: stop_when, cite: [d], fact: [cease, refusal_to_pay, attorney, bankruptcy]}
  - {id: who, kind: recipient_limit, cite: [e], allowed: [debtor, spouse, guarantor]}
  - {id: calls, kind: frequency_cap, cite: [f], applies: {channel: [voice]}, max: 7,
     window: {days: 7}, counts: {unit: connected}, key: [person, debt, collector]}
  - {id: talk, kind: cooldown_after, cite: [g], applies: {channel: [voice]},
     trigger: {channels: [voice]}, lasts: {days: 7}, key: [person, debt, collector]}
""",
    "state": """
pack: state
title: A state's rules, in short
jurisdiction: example
status: draft
rules:
  - {id: three-a-week, kind: frequency_cap, cite: [h], max: 3, window: {days: 7},
     key: [person, debt]}
  - {id: identity, kind: content_must_include, cite: [i], elements: [sender_name]}
  - {id: work, kind: contact_point_rule, cite: [j], deny: {place: [work]}}
""",
    "lender": """
pack: lender
title: A lender's own rules
jurisdiction: example
status: draft
rules:
  - {id: two-a-day, kind: frequency_cap, cite: [k], applies: {channel: [electronic]}, max: 2,
     window: {rolling: 24h}, key: [person]}
  - {id: not-sunday, kind: contact_window, cite: [l], hours: {mon-sat: "08:00-20:00"}}
""",
}
COUNT = 10_000
ZONES = ("America/New_York", "America/Chicago", "America/Los_Angeles")
# No clock changes in these weeks or in the 45 days after: the hand-written function and the Rego
# know nothing of gaps and second passes, which the evaluator does.
FIRST = datetime(2026, 5, 4, tzinfo=UTC)


@cache
def rules() -> RuleSet:
    return compile_rules(load_text(text, name) for name, text in PACKS.items())


@cache
def questions() -> tuple[tuple[Facts, datetime], ...]:
    """Reminders mostly planned for the day, a fifth at any hour; 4.2 earlier contacts on average
    in 30 days; one borrower in five with two candidate zones."""
    chance = random.Random(20260512)
    return tuple(_question(chance) for _ in range(COUNT))


def _question(chance: random.Random) -> tuple[Facts, datetime]:
    zones = chance.sample(ZONES, 2 if chance.random() < 0.2 else 1)
    hour = chance.uniform(9, 19) if chance.random() < 0.8 else chance.uniform(0, 24)
    there = FIRST.replace(tzinfo=ZoneInfo(zones[0])) + timedelta(days=chance.randrange(28))
    now = (there + timedelta(seconds=int(hour * 3600))).astimezone(UTC)
    channel = chance.choices(["sms", "email", "push", "call"], [6, 2, 1, 1])[0]
    facts: dict[str, object] = {
        "actor": {"role": "collector", "id": "acme"},
        "borrower": {"zones": [{"zone": zone, "basis": "address"} for zone in zones]},
        "debt": {"id": "D1", "product": "personal_loan", "days_past_due": chance.randrange(60)},
        "contact": {
            "channel": channel,
            "purpose": "collection",
            "recipient": chance.choices(["debtor", "spouse", "employer"], [97, 2, 1])[0],
            "contact_point": {
                "id": "P1",
                "place": chance.choices(["personal", "work"], [97, 3])[0],
            },
        },
        "history": [_entry(chance, now) for _ in range(_rows(chance))],
        "stops": [_stop(chance, now)] if chance.random() < 0.06 else [],
        "consents": [_consent(chance, now)] if chance.random() < 0.1 else [],
        "preferences": [_wish(chance)] if chance.random() < 0.1 else [],
    }
    if chance.random() < 0.5:
        elements = ["sender_name", "amount"] if chance.random() < 0.98 else ["amount"]
        facts["contact"] |= {"content": {"elements": elements}}  # type: ignore[operator]
    return facts_from(facts), now


def _rows(chance: random.Random) -> int:
    return min(int(chance.expovariate(1 / 4.7)), 30)


def _entry(chance: random.Random, now: datetime) -> dict[str, object]:
    inbound = chance.random() < 0.07
    channel = chance.choices(["sms", "email", "push", "call"], [6, 2, 1, 3])[0]
    talk = ["conversation", "no_answer", "voicemail_left", "busy"]
    outcome = "message" if channel != "call" else "conversation"
    if not inbound:
        outcome = chance.choice(
            talk if channel == "call" else ["sent", "delivered", "delivered", "bounced"]
        )
    entry: dict[str, object] = {
        "at": _text(now - timedelta(seconds=chance.randrange(60, 30 * 86400))),
        "channel": channel,
        "outcome": outcome,
        "direction": "inbound" if inbound else "outbound",
        "person": chance.choices(["debtor", "spouse"], [95, 5])[0],
    }
    if chance.random() < 0.5:
        entry["debts"] = [chance.choices(["D1", "D2"], [4, 1])[0]]
    if chance.random() < 0.2:
        entry["collector"] = chance.choice(["acme", "another"])
    return entry


def _stop(chance: random.Random, now: datetime) -> dict[str, object]:
    received = now - timedelta(seconds=chance.randrange(60, 20 * 86400))
    stop: dict[str, object] = {
        "kind": chance.choices(["opt_out", "cease", "attorney", "dispute"], [5, 2, 1, 1])[0],
        "received": _text(received),
    }
    if chance.random() < 0.5:
        stop["channels"] = [chance.choice(["sms", "email", "call"])]
    if chance.random() < 0.2:
        stop["ended"] = _text(received + (now - received) * 0.5)
    return stop


def _consent(chance: random.Random, now: datetime) -> dict[str, object]:
    return {
        "to": chance.choice(["contact_time", "channel"]),
        "received": _text(now - timedelta(seconds=chance.randrange(60, 300 * 86400))),
        "given_to": chance.choice(["actor", "creditor"]),
    }


def _wish(chance: random.Random) -> dict[str, object]:
    return chance.choice(
        [
            {"kind": "not_between", "from": "12:00", "to": "14:00"},
            {"kind": "only_between", "from": "17:00", "to": "20:00", "days": "mon-fri"},
            {"kind": "only_between", "from": "09:00", "to": "12:00"},
        ]
    )


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
