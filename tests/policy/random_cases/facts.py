"""Random facts: who, what is about to leave, and what has happened."""

from tests.policy.random_cases.draw import (
    CHANNELS,
    CLASSES,
    CONSENTS,
    FORMS,
    GROUPS,
    OUTCOMES,
    PEOPLE,
    PLACES,
    PURPOSES,
    STOPS,
    Map,
    Times,
    text,
)
from tests.policy.random_cases.hours import recurring


def entry(t: Times) -> Map:
    return (
        {
            "at": t.past() if t.chance(92) else t.instant(),
            "channel": t.one(CHANNELS),
            "outcome": t.one(OUTCOMES),
        }
        | t.optional(25, "direction", lambda: "inbound")
        | t.optional(15, "person", lambda: t.one(PEOPLE))
        | t.optional(15, "debts", lambda: t.some(["D1", "D2"], 2))
        | t.optional(10, "allocated_to", lambda: [t.one(["D1", "D2"])])
        | t.optional(10, "account", lambda: t.one(["D1", "A"]))
        | t.optional(10, "creditor", lambda: t.one(["bank-a", "bank-b"]))
        | t.optional(10, "collector", lambda: t.one(["us", "other"]))
        | t.optional(20, "contact_point", lambda: t.one(["P1", "P2"]))
        | t.optional(10, "place", lambda: t.one(PLACES))
        | t.optional(10, "class", lambda: t.one(CLASSES))
        | t.optional(20, "purpose", lambda: t.one(PURPOSES))
        | t.optional(10, "technology", lambda: t.one(["manual", "dialer"]))
        | t.optional(10, "event", lambda: t.one(["E1", "E2"]))
        | t.optional(10, "consented", lambda: True)
        | t.optional(10, "requests_contact", lambda: True)
        | t.optional(20, "id", lambda: t.one(["q1", "q2"]))
        | t.optional(15, "in_reply_to", lambda: t.one(["q1", "q2"]))
    )


def limits(t: Times) -> Map:
    return (
        t.optional(12, "channels", lambda: t.some(GROUPS, 4))
        | t.optional(8, "debts", lambda: t.some(["D1", "D2"], 2))
        | t.optional(8, "contact_points", lambda: t.some(["P1", "P2"], 2))
    )


def stop(t: Times) -> Map:
    return (
        {"kind": t.one(STOPS)}
        | limits(t)
        | t.optional(80, "received", lambda: t.instant())
        | t.optional(40, "form", lambda: t.one(FORMS))
        | t.optional(20, "from", lambda: t.date())
        | t.optional(35, "until", lambda: t.date())
        | t.optional(20, "basis_ended", lambda: t.date())
        | t.optional(20, "ended", lambda: t.instant())
        | t.optional(5, "places", lambda: t.some(PLACES, 2))
        | t.optional(5, "purposes", lambda: t.some(PURPOSES, 2))
        | t.optional(5, "persons", lambda: t.some(PEOPLE, 2))
    )


def consent(t: Times) -> Map:
    return (
        {
            "to": t.one(CONSENTS),
            "received": t.past() if t.chance(85) else t.instant(),
            "given_to": t.one(["actor", "actor", "creditor"]),
        }
        | limits(t)
        | t.optional(50, "form", lambda: t.one(FORMS))
        | t.optional(30, "until", lambda: t.date())
        | t.optional(20, "revoked", lambda: t.instant())
        | t.optional(30, "hours", lambda: recurring(t))
    )


def preference(t: Times) -> Map:
    return (
        {"kind": t.one(["not_between", "not_between", "only_between"]), **recurring(t)}
        | t.optional(20, "zone", lambda: t.one(["Asia/Tokyo", "America/New_York"]))
        | t.optional(30, "received", lambda: t.instant())
        | t.optional(25, "withdrawn", lambda: t.instant())
    )


def contact(t: Times) -> Map:
    point = (
        t.optional(60, "id", lambda: t.one(["P1", "P2"]))
        | t.optional(40, "place", lambda: t.one(PLACES))
        | t.optional(30, "kind", lambda: "mobile")
        | t.optional(30, "checked_on", lambda: t.date(8, 0))
    )
    content = (
        t.optional(60, "elements", lambda: ["sender_name", "amount"])
        | t.optional(10, "labels", lambda: ["threat"])
        | t.optional(50, "states_debt", lambda: t.chance(30))
        | t.optional(30, "amount", lambda: t.one([60, 180.5]))
    )
    return (
        {
            "channel": t.one(CHANNELS),
            "purpose": t.one(PURPOSES[:3]),
            "recipient": t.one(["debtor", "debtor", "debtor", "spouse", "third_party"]),
        }
        | t.optional(10, "class", lambda: t.one(CLASSES))
        | t.optional(10, "sequence", lambda: t.one(["first", "later"]))
        | t.optional(20, "technology", lambda: t.one(["manual", "dialer"]))
        | t.optional(20, "event", lambda: t.one(["E1", "E2"]))
        | ({"contact_point": point} if point else {})
        | ({"content": content} if t.chance(20) else {})
    )


def zones(t: Times, names: list[str]) -> list[Map]:
    if t.chance(4):
        return []
    bases = ["confirmed", "address", "phone_prefix", "device", "country"]
    chosen = t.some(names, 2) if t.chance(75) else [t.one(["America/New_York", "Asia/Kolkata"])]
    return [{"zone": name, "basis": t.one(bases[1:] if t.chance(90) else bases)} for name in chosen]


def facts(t: Times, names: list[str]) -> Map:
    debt: Map = (
        {"id": "D1", "product": "personal_loan"}
        | t.optional(15, "account", lambda: "A")
        | t.optional(30, "creditor", lambda: "bank-a")
        | t.optional(20, "stage", lambda: t.one(["due", "overdue"]))
        | t.optional(20, "days_past_due", lambda: t.number(0, 30))
        | t.optional(20, "balance", lambda: t.one([60, 180.5, 0]))
    )
    borrower: Map = {"zones": zones(t, names)} | t.optional(
        20, "household", lambda: ["debtor", "spouse"]
    )
    return {
        "now": text(t.now),
        "actor": {"role": t.one(["creditor", "collector"])},
        "borrower": borrower,
        "debt": debt,
        "contact": contact(t),
        "history": [entry(t) for _ in range(t.number(0, 6))],
        "stops": [stop(t) for _ in range(t.number(0, 2))],
        "consents": [consent(t) for _ in range(t.number(0, 2))],
        "preferences": [preference(t) for _ in range(t.number(0, 2))],
        "notices": [
            {"kind": "validation", "sent": t.past() if t.chance(85) else t.instant()}
            | t.optional(10, "returned", lambda: True)
            | t.optional(40, "period_ends", lambda: t.date())
            for _ in range(t.number(0, 2))
        ],
        "duties": [
            {"kind": "complaint_answer", "since": t.date() if t.chance(50) else t.past()}
            | t.optional(30, "done", lambda: t.instant())
            for _ in range(t.number(0, 1))
        ],
    }
