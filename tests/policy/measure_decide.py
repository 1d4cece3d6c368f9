"""How many decisions a second one process makes: `python -m tests.policy.measure_decide`."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from services.policy.decide import Allow, Defer, Suppress, decide, decide_until
from services.policy.given_facts import facts_from
from services.policy.pack import Pack, load_text
from services.policy.ruleset import compile_rules

FEDERAL = """
pack: us-like
title: Federal rules, in short
jurisdiction: example
status: draft
calendars:
  us: {covers: [2026], dates: {'2026-05-25': Memorial Day}}
rules:
- {id: hours, kind: contact_window, cite: [a], hours: {daily: '08:00-21:00'},
   unless: [{consent: {to: contact_time, given_to: [actor]}}]}
- {id: wishes, kind: contact_window, cite: [b], hours: preferences, unless: [{reply: {}}]}
- {id: opt-out, kind: stop_when, cite: [c], fact: opt_out,
   unless: [{class: [opt_out_confirmation], max: 1}, {reply: {same_channel: true}}]}
- {id: cease, kind: stop_when, cite: [d], fact: [cease, refusal_to_pay, attorney, bankruptcy]}
- {id: who, kind: recipient_limit, cite: [e], allowed: [debtor, spouse, guarantor]}
- {id: calls, kind: frequency_cap, cite: [f], applies: {channel: [voice]}, max: 7,
   window: {days: 7}, counts: {unit: connected}, key: [person, debt, collector]}
- {id: talk, kind: cooldown_after, cite: [g], applies: {channel: [voice]},
   trigger: {channels: [voice]}, lasts: {days: 7}, key: [person, debt, collector]}
"""
STATE = """
pack: state-like
title: A state's rules, in short
jurisdiction: example
status: draft
rules:
- {id: three-a-week, kind: frequency_cap, cite: [h], max: 3, window: {days: 7}, key: [person, debt]}
- {id: identity, kind: content_must_include, cite: [i], elements: [sender_name]}
- {id: work, kind: contact_point_rule, cite: [j], deny: {place: [work]}}
"""
HOUSE = """
pack: house-like
title: A lender's own rules
jurisdiction: example
status: draft
rules:
- {id: two-a-day, kind: frequency_cap, cite: [k], applies: {channel: [electronic]}, max: 2,
   window: {rolling: 24h}, key: [person]}
- {id: not-sunday, kind: contact_window, cite: [l], hours: {mon-sat: '08:00-20:00'}}
"""
NOON = datetime(2026, 5, 12, 16, 0, tzinfo=UTC)


def history(count: int) -> list[dict[str, object]]:
    return [
        {
            "at": f"{NOON - timedelta(days=10 + i):%Y-%m-%dT%H:%M:%SZ}",
            "channel": ("sms", "email", "call")[i % 3],
            "outcome": ("sent", "delivered", "no_answer")[i % 3],
        }
        for i in range(count)
    ]


def rate(work: Callable[[], object], seconds: float = 1.0) -> float:
    """Calls a second of processor time: the best of three runs."""
    best = 0.0
    for _ in range(3):
        calls, start = 0, time.process_time()
        while (spent := time.process_time() - start) < seconds / 3:
            for _ in range(200):
                work()
            calls += 200
        best = max(best, calls / spent)
    return best


def main() -> None:
    packs: list[Pack] = [
        load_text(text, name) for text, name in ((FEDERAL, "a"), (STATE, "b"), (HOUSE, "c"))
    ]
    rules = compile_rules(packs)
    base: dict[str, object] = {
        "actor": {"role": "collector"},
        "borrower": {"zones": [{"zone": "America/New_York", "basis": "address"}]},
        "debt": {"id": "D1", "product": "personal_loan"},
        "contact": {"channel": "sms", "purpose": "collection", "recipient": "debtor"},
        "history": history(10),
    }
    facts = facts_from(base)
    two_zones = facts_from(
        base
        | {
            "borrower": {
                "zones": [
                    {"zone": "America/New_York", "basis": "phone_prefix"},
                    {"zone": "America/Los_Angeles", "basis": "address"},
                ]
            }
        }
    )
    stopped = facts_from(base | {"stops": [{"kind": "cease", "received": "2026-05-01T00:00:00Z"}]})
    night = NOON.replace(hour=2)
    print(f"{len(rules.rules)} rules, {len(packs)} packs, 10 entries of history")
    for name, which, now, kind in (
        ("allow", facts, NOON, Allow),
        ("allow, two zones", two_zones, NOON, Allow),
        ("defer over the night", facts, night, Defer),
        ("suppress", stopped, NOON, Suppress),
    ):
        assert isinstance(decide(rules, which, now), kind)
        each = rate(lambda which=which, now=now: decide(rules, which, now))
        print(f"{name:24} {each:>9,.0f} /s")
    limit = NOON + timedelta(hours=24)
    each = rate(lambda: decide_until(rules, facts, NOON, limit))
    print(f"{'allow, and until when':24} {each:>9,.0f} /s")


if __name__ == "__main__":
    main()
