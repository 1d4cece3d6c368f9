"""The policy of `decision_inputs` in Rego, run by regorus (Rust) in this process."""

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from services.policy.facts import Facts

POLICY = """
package contact

import rego.v1

voice := {"call", "voicemail", "ringless_voicemail"}
electronic := {"sms", "whatsapp", "im", "email", "push", "chat", "social_dm"}
connected := {
  "reserved", "unknown", "no_answer", "mailbox_full", "voicemail_reached", "voicemail_left",
  "abandoned", "conversation", "sent", "delivered", "message",
}

about(e) if e.debts == null
about(e) if input.debt in e.debts

ours(e) if e.collector == null
ours(e) if e.collector == input.collector

with_person := [e | some e in input.history; e.person == input.person; e.outcome != "cancelled"]
outbound := [e | some e in with_person; e.direction == "outbound"]
here := [e | some e in with_person; e.channel == input.channel]

asked := max([e.at | some e in here; e.direction == "inbound"])
answers if {
  not later_outbound
  input.now <= asked + 86400
}
later_outbound if {
  some e in here
  e.direction == "outbound"
  e.at > asked
}

# 1 hours
free_hours if {
  some c in input.consents
  c.to == "contact_time"
  c.given_to == "actor"
}
blocks contains "hours" if {
  some z in input.zones
  not open(z, 28800, 75600)
  not free_hours
}
open(z, from, to) if { z.clock >= from; z.clock < to }

# 2 wishes
blocks contains "wishes" if {
  some w in input.wishes
  some z in input.zones
  against(w, z)
  not answers
}
against(w, z) if { w.kind == "not_between"; inside(w, z) }
against(w, z) if { w.kind == "only_between"; not inside(w, z) }
inside(w, z) if { z.weekday in w.days; z.clock >= w.from; z.clock < w.to }

# 3, 4 stops
live contains s if {
  some s in input.stops
  s.received <= input.now
  not ended(s)
  covered(s)
}
ended(s) if { s.ended != null; s.ended <= input.now }
covered(s) if s.channels == null
covered(s) if input.channel in s.channels
blocks contains "opt-out" if {
  some s in live
  s.kind == "opt_out"
  not answered(s)
}
answered(s) if { answers; asked > s.received }
blocks contains "cease" if {
  some s in live
  s.kind in {"cease", "refusal_to_pay", "attorney", "bankruptcy"}
}

# 5 who
blocks contains "who" if not input.recipient in {"debtor", "spouse", "guarantor"}

# 6, 7 calls
blocks contains "calls" if {
  input.channel in voice
  some i, z in input.zones
  count([1 |
    some e in outbound
    e.channel in voice
    e.outcome in connected
    e.days[i] > z.day - 7
    about(e)
    ours(e)
  ]) >= 7
}
blocks contains "talk" if {
  input.channel in voice
  some e in with_person
  e.channel in voice
  e.outcome == "conversation"
  some i, z in input.zones
  e.days[i] > z.day - 7
  about(e)
  ours(e)
}

# 8 three a week
blocks contains "three-a-week" if {
  some i, z in input.zones
  count([1 | some e in outbound; e.days[i] > z.day - 7; about(e)]) >= 3
}

# 9, 10
blocks contains "identity" if {
  input.elements != null
  not "sender_name" in input.elements
}
blocks contains "work" if input.place == "work"

# 11 two a day
blocks contains "two-a-day" if {
  input.channel in electronic
  count([1 | some e in outbound; e.at > input.now - 86400; e.channel in electronic]) >= 2
}

# 12 not sunday
blocks contains "not-sunday" if {
  some z in input.zones
  not weekday_open(z)
}
weekday_open(z) if { z.weekday != 6; open(z, 28800, 72000) }
"""
_ENTRY = "data.contact.blocks"
_EPOCH = date(1970, 1, 1).toordinal()


def engine() -> Callable[[str], frozenset[str]] | None:
    """The rules that block, from an input as JSON text; None if regorus isn't installed."""
    try:
        import regorus
    except ImportError:
        return None
    # Its virtual machine runs compiled Rego in half the time its interpreter takes.
    compiled = regorus.Program.compile_from_modules("{}", [("contact.rego", POLICY)], [_ENTRY])
    machine = regorus.Rvm()
    machine.load_program(compiled)

    def blocks(text: str) -> frozenset[str]:
        machine.set_input_json(text)
        return frozenset(msgspec.json.decode(machine.execute()))

    return blocks


def as_input(facts: Facts, now: datetime) -> str:
    """What the Rego reads: seconds and local dates worked out, so that it need not ask a zone."""
    contact = facts.contact
    zones = [ZoneInfo(each.zone) for each in facts.borrower.zones]
    content = contact.content
    return msgspec.json.encode(
        {
            "now": int(now.timestamp()),
            "zones": [_shown(now.astimezone(zone)) for zone in zones],
            "channel": contact.channel,
            "recipient": contact.recipient,
            "person": contact.person or contact.recipient,
            "place": contact.contact_point.place,
            "elements": None if content is None else content.elements,
            "debt": facts.debt.id,
            "collector": facts.actor.id,
            "history": list(_history(facts, now, zones)),
            "stops": [
                {
                    "kind": stop.kind,
                    "received": _seconds(stop.received),
                    "ended": _seconds(stop.ended),
                    "channels": stop.channels,
                }
                for stop in facts.stops
            ],
            "consents": facts.consents,
            "wishes": [
                {
                    "kind": wish.kind,
                    "from": int(wish.from_[:2]) * 3600,
                    "to": int(wish.to[:2]) * 3600,
                    "days": list(range(7 if wish.days == "daily" else 5)),
                }
                for wish in facts.preferences
            ],
        }
    ).decode()


def _history(facts: Facts, now: datetime, zones: list[ZoneInfo]) -> Iterator[dict[str, Any]]:
    for entry in facts.history:
        if entry.at <= now:
            yield {
                "at": _seconds(entry.at),
                "days": [_day(entry.at.astimezone(zone)) for zone in zones],
                "channel": entry.channel,
                "outcome": entry.outcome,
                "direction": entry.direction,
                "person": entry.person,
                "debts": entry.debts,
                "collector": entry.collector,
            }


def _shown(there: datetime) -> dict[str, int]:
    clock = there.hour * 3600 + there.minute * 60 + there.second
    return {"clock": clock, "weekday": there.weekday(), "day": _day(there)}


def _day(there: datetime) -> int:
    return there.toordinal() - _EPOCH


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
