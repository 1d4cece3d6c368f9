"""Random rules: scope, parameters of each kind, conditions that lift them."""

from datetime import timedelta
from typing import Any

from tests.policy.random_cases.draw import (
    CLASSES,
    CONSENTS,
    FORMS,
    GROUPS,
    KEYS,
    OUTCOMES,
    PEOPLE,
    PLACES,
    PURPOSES,
    STOPS,
    UNITS,
    Draw,
    Map,
    Times,
)
from tests.policy.random_cases.hours import duration, hours_map


def condition(d: Draw, kind: str) -> Map:
    makers: list[tuple[str, Any]] = [
        ("consent", lambda: wanted_consent(d)),
        ("consent", lambda: wanted_consent(d)),
        (
            "reply",
            lambda: (
                d.optional(40, "same_channel", lambda: d.chance(50))
                | d.optional(40, "once", lambda: d.chance(50))
                | d.optional(60, "within", lambda: d.one(["30m", "2h", "24h", "90h", "same_day"]))
            ),
        ),
        ("requested", lambda: True),
        ("used_by_borrower", lambda: True),
        ("class", lambda: d.some(CLASSES)),
        ("stop", lambda: d.some(STOPS, 2)),
        ("channel", lambda: d.some(GROUPS)),
        ("technology", lambda: ["manual"]),
    ]
    if kind == "stop_when":
        makers += [("within", lambda: d.one(["5m", "12h", "30h"])), ("max", lambda: d.number(0, 2))]
    chosen = [d.one(makers) for _ in range(1 if d.chance(70) else 2)]
    return {key: make() for key, make in chosen}


def wanted_consent(d: Draw) -> Map:
    return (
        {"to": d.one(CONSENTS)}
        | d.optional(20, "given_to", lambda: d.some(["actor", "creditor"]))
        | d.optional(15, "form", lambda: d.some(FORMS, 2))
        | d.optional(30, "max_days", lambda: d.number(0, 7))
        | d.optional(20, "ends_on", lambda: "conversation")
    )


def scope(d: Draw) -> Map:
    found: Map = {}
    found |= d.optional(30, "channel", lambda: d.some(GROUPS, 4))
    found |= d.optional(10, "purpose", lambda: d.some(PURPOSES, 3))
    found |= d.optional(8, "role", lambda: [d.one(["creditor", "collector"])])
    found |= d.optional(8, "technology", lambda: d.some(["manual", "dialer"], 2))
    found |= d.optional(8, "sequence", lambda: [d.one(["first", "later"])])
    found |= d.optional(8, "place", lambda: d.some(PLACES))
    found |= d.optional(5, "stage", lambda: d.some(["overdue", "due"]))
    found |= d.optional(5, "days_past_due", lambda: {"min": d.number(0, 20)})
    found |= d.optional(12, "stop", lambda: d.some([*STOPS, "nothing_due"], 3))
    return found


def entry_filter(d: Draw, *, direction: bool = True) -> Map:
    found: Map = {}
    found |= d.optional(30, "channels", lambda: d.some(GROUPS, 4))
    found |= d.optional(50, "unit", lambda: d.one(UNITS) if d.chance(80) else d.some(OUTCOMES, 4))
    if direction:
        found |= d.optional(30, "direction", lambda: d.one(["outbound", "inbound", "any"]))
    found |= d.optional(10, "purposes", lambda: d.some(PURPOSES))
    found |= d.optional(10, "classes", lambda: d.some(CLASSES, 2))
    found |= d.optional(10, "places", lambda: d.some(PLACES, 2))
    found |= d.optional(10, "technologies", lambda: d.some(["manual", "dialer"], 2))
    return found


def parameters(t: Times, kind: str) -> Map:
    d = t
    match kind:
        case "contact_window":
            if d.chance(25):
                return {"hours": "preferences"}
            classes = d.chance(35)
            return {"hours": hours_map(d, classes=classes)} | (
                {"calendar": "cal"} if classes else {}
            )
        case "frequency_cap":
            return (
                {
                    "max": d.number(0, 3) if d.chance(15) else d.number(1, 3),
                    "window": d.one(
                        [
                            {"rolling": "24h"},
                            {"rolling": "90m"},
                            {"days": 1},
                            {"days": 3},
                            {"days": 7},
                            {"calendar": "day"},
                            {"calendar": "month"},
                            {"calendar": "week"},
                            {"calendar": "week", "starts": "sun"},
                        ]
                    ),
                    "key": d.some(KEYS, 2) if d.chance(40) else ["person"],
                }
                | d.optional(60, "counts", lambda: entry_filter(d))
                | d.optional(20, "aggregate", lambda: {"distinct": "channel"})
                | d.optional(20, "exclude", lambda: d.some(["consented", "reply", "requested"]))
                | d.optional(20, "multi_debt", lambda: "allocated")
                | d.optional(15, "starts_after", lambda: d.one(UNITS))
            )
        case "cooldown_after":
            return {
                "trigger": entry_filter(d),
                "lasts": duration(d),
                "key": d.some(KEYS, 2) if d.chance(40) else ["person"],
            } | d.optional(20, "multi_debt", lambda: "allocated")
        case "stop_when":
            return (
                {"fact": d.some([*STOPS, "nothing_due"], 4)}
                | d.optional(15, "form", lambda: d.some(FORMS, 2))
                | d.optional(
                    15, "ignore_scope", lambda: d.some(["channels", "purposes", "persons"])
                )
                | d.optional(
                    40,
                    "lasts",
                    lambda: (
                        duration(d)
                        | d.optional(30, "from", lambda: d.one(["began", "basis_ended"]))
                    ),
                )
                | d.optional(
                    15,
                    "received_within",
                    lambda: (
                        {"notice": "validation", "days": d.number(0, 6)}
                        | d.optional(60, "receipt", lambda: duration(d))
                    ),
                )
                | d.optional(60, "effect", lambda: d.one(["defer", "defer", "suppress"]))
            )
        case "consent_required":
            found = wanted_consent(d) if d.chance(80) else {}
            if not found or d.chance(30):
                found["recheck"] = {"days": d.number(0, 8), "by": d.some(["inbound", "check"], 2)}
            return found
        case "recipient_limit":
            narrow = {"recipients": d.some(PEOPLE)} | d.optional(
                40, "max_contacts", lambda: d.number(0, 2)
            )
            return {"allowed": d.some(PEOPLE)} | d.optional(60, "exceptions", lambda: [narrow])
        case "contact_point_rule":
            return {"deny": d.one([{"place": ["work"]}, {"channel": ["voice", "visit"]}])}
        case "content_must_include":
            return {"elements": d.some(["sender_name", "amount"])}
        case "content_must_not":
            return {"labels": ["threat"], "must_match": "amount"}
        case "sequence_gate":
            return {"require": required(d)}
        case "obligation":
            return {"duty": "complaint_answer", "due": duration(d)}
    return {"record": ["decision"], "min": {"years": 3}, "from": "event"}


def required(d: Draw) -> Map:
    if d.chance(15):
        return {"contacts": {"unit": d.one(UNITS)}, "at_least": d.number(0, 3)}
    return (
        {"notice": "validation"}
        | d.optional(60, "min_age", lambda: duration(d))
        | d.optional(25, "max_age", lambda: duration(d))
        | d.optional(20, "after_period", lambda: True)
    )


KINDS = [
    "contact_window", "contact_window", "contact_window", "frequency_cap", "frequency_cap",
    "cooldown_after", "cooldown_after", "stop_when", "stop_when", "consent_required",
    "recipient_limit", "contact_point_rule", "content_must_include", "content_must_not",
    "sequence_gate", "sequence_gate", "obligation", "retention",
]  # fmt: skip
WITH_ZONES = {
    "contact_window", "frequency_cap", "cooldown_after", "stop_when", "consent_required",
    "sequence_gate", "obligation",
}  # fmt: skip


def rule(t: Times, name: str, kinds: list[str]) -> Map:
    kind = t.one(kinds)
    found: Map = {"id": name, "kind": kind, "cite": ["random"], **parameters(t, kind)}
    found |= t.optional(35, "applies", lambda: scope(t))
    found |= t.optional(30, "unless", lambda: [condition(t, kind) for _ in range(t.number(1, 2))])
    found |= t.optional(8, "severity", lambda: "warn")
    if t.chance(12):
        first = t.number(-4, 6)
        found["effective"] = {"from": f"{t.night + timedelta(days=first):%Y-%m-%d}"} | t.optional(
            50, "to", lambda: f"{t.night + timedelta(days=first + t.number(0, 5)):%Y-%m-%d}"
        )
    if kind in WITH_ZONES:
        found |= t.optional(
            25,
            "zones",
            lambda: t.one(["best_evidence", {"fixed": "Europe/Madrid"}, "every_candidate"]),
        )
    return found
