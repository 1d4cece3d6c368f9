"""Random rules and facts, as a case file writes them, for the property tests.

Everything happens near a few nights on which clocks change somewhere, so that durations, windows
and dates meet gaps and second passes. All instants are whole minutes: the oracle walks in minutes.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

Map = dict[str, Any]

# (about when, zones whose clocks do something then, or that make it interesting)
NIGHTS: list[tuple[datetime, list[str]]] = [
    (datetime(2026, 3, 8, 7, tzinfo=UTC), ["America/New_York", "America/Los_Angeles"]),
    (datetime(2026, 11, 1, 6, tzinfo=UTC), ["America/New_York", "America/St_Johns"]),
    (datetime(2026, 4, 4, 15, tzinfo=UTC), ["Australia/Lord_Howe", "Australia/Sydney"]),
    (datetime(2026, 10, 3, 15, tzinfo=UTC), ["Australia/Lord_Howe", "Australia/Brisbane"]),
    (datetime(2026, 4, 23, 22, tzinfo=UTC), ["Africa/Cairo", "Europe/Athens"]),
    (datetime(2026, 10, 29, 21, tzinfo=UTC), ["Africa/Cairo", "Asia/Kathmandu"]),
    (datetime(2026, 4, 5, 3, tzinfo=UTC), ["America/Santiago", "Pacific/Easter"]),
    (datetime(2026, 9, 6, 4, tzinfo=UTC), ["America/Santiago", "America/Bogota"]),
    (datetime(2026, 10, 25, 1, tzinfo=UTC), ["Europe/London", "Europe/Berlin"]),
    (datetime(2026, 9, 26, 20, tzinfo=UTC), ["Pacific/Apia", "Pacific/Pago_Pago"]),
    (datetime(2026, 4, 4, 14, tzinfo=UTC), ["Pacific/Chatham", "Pacific/Auckland"]),
    (datetime(2011, 12, 30, 10, tzinfo=UTC), ["Pacific/Apia", "Pacific/Fakaofo"]),
    (datetime(2026, 12, 31, 12, tzinfo=UTC), ["Asia/Kolkata", "Asia/Shanghai"]),
    (datetime(2026, 5, 12, 12, tzinfo=UTC), ["Asia/Tokyo", "UTC"]),
]
CHANNELS = ["call", "voicemail", "sms", "email", "letter", "visit"]
GROUPS = [*CHANNELS, "voice", "electronic", "paper"]
OUTCOMES = [
    "reserved", "unknown", "cancelled", "busy", "not_in_service", "no_answer", "voicemail_reached",
    "voicemail_left", "abandoned", "conversation", "sent", "delivered", "bounced", "message",
]  # fmt: skip
UNITS = ["attempt", "connected", "reached", "successful", "conversation", "sent", "unanswered"]
PURPOSES = ["reminder", "collection", "marketing", "location"]
CLASSES = ["ordinary", "opt_out_confirmation", "relay_request"]
PEOPLE = ["debtor", "spouse", "third_party"]
PLACES = ["home", "work", "personal"]
KEYS = [
    "person", "household", "debt", "account", "contact_point", "place", "collector", "creditor",
    "event",
]  # fmt: skip
FORMS = ["written", "electronic", "oral"]
STOPS = ["opt_out", "cease", "dispute", "promise", "hardship", "no_work_contact"]
CONSENTS = ["channel", "contact_time", "frequency"]
CLOCKS = ["00:00", "00:30", "01:00", "01:30", "02:00", "02:30", "03:00", "08:00", "12:00", "20:00",
          "21:00", "23:00", "23:30"]  # fmt: skip
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Draw:
    """Short names for the draws below."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def one(self, options: list[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def number(self, low: int, high: int) -> int:
        return int(self.draw(st.integers(low, high)))

    def chance(self, percent: int) -> bool:
        return self.number(1, 100) <= percent

    def some(self, options: list[Any], most: int = 3) -> list[Any]:
        return list(
            self.draw(st.lists(st.sampled_from(options), min_size=1, max_size=most, unique=True))
        )

    def optional(self, percent: int, key: str, value: Any) -> Map:
        """`{key: value()}` sometimes."""
        return {key: value()} if self.chance(percent) else {}


class Times(Draw):
    """Instants and dates round one night."""

    def __init__(self, draw: Any, night: datetime) -> None:
        super().__init__(draw)
        self.night = night
        self.now = night + timedelta(minutes=self.number(-40 * 60, 30 * 60))

    def instant(self, days_before: int = 10, days_after: int = 4) -> str:
        near = self.chance(40)
        low, high = (-36 * 60, 6 * 60) if near else (-days_before * 1440, days_after * 1440)
        return text(self.night + timedelta(minutes=self.number(low, high)))

    def past(self, days: int = 10) -> str:
        if self.chance(5):
            return text(self.now)
        return text(
            self.now
            - timedelta(minutes=self.number(0, 36 * 60 if self.chance(50) else days * 1440))
        )

    def date(self, before: int = 6, after: int = 6) -> str:
        return f"{self.night + timedelta(days=self.number(-before, after)):%Y-%m-%d}"


def text(t: datetime) -> str:
    return f"{t:%Y-%m-%dT%H:%M:%SZ}"


def hours_map(d: Draw, *, classes: bool) -> Map:
    days = d.one(
        [["daily"], ["mon-fri"], ["mon-fri", "sat"], ["fri-mon"], ["mon-sat", "sun"], WEEKDAYS[:4]]
    )
    hours = {name: intervals(d) for name in days}
    if classes:
        for name in d.some(["holiday", "half_day"], 2):
            hours[name] = intervals(d)
    return hours


def intervals(d: Draw) -> Any:
    if d.chance(15):
        return "closed"
    found = [interval(d) for _ in range(d.number(1, 2))]
    return found[0] if len(found) == 1 else found


def interval(d: Draw) -> str:
    if d.chance(50):
        return str(
            d.one(["08:00-21:00", "09:00-18:00", "00:00-24:00", "20:00-02:00", "02:30-04:00"])
        )
    opens = d.one(CLOCKS)
    return f"{opens}-{d.one([c for c in [*CLOCKS, '24:00'] if c != opens])}"


def recurring(d: Draw) -> Map:
    opens, closes = interval(d).split("-")
    return {"from": opens, "to": closes} | d.optional(
        40, "days", lambda: d.one(["daily", "mon-fri", "sat-sun", "sun", "fri-mon"])
    )


def duration(d: Draw, *, inclusive: bool = True) -> Map:
    unit = d.one(["minutes", "hours", "days", "days", "business_days"])
    high = {"minutes": 3000, "hours": 60, "days": 6, "business_days": 4}[unit]
    found: Map = {unit: d.number(0, high)}
    if inclusive and unit in ("days", "business_days"):
        found |= d.optional(25, "inclusive", lambda: d.chance(50))
    if unit == "business_days":
        found |= d.optional(60, "calendar", lambda: "cal")
    return found


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


def calendar(t: Times) -> Map:
    year = t.night.year
    days = {t.date(5, 20) for _ in range(t.number(0, 6))}
    return {
        "covers": t.one([[year], [year, year + 1], [year - 1, year + 2]]),
        "dates": {
            day: t.one(["Holiday", {"class": "half_day"}, {"class": "holiday", "name": "Feast"}])
            for day in sorted(days)
        },
    }


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


@st.composite
def cases(draw: Any, kinds: tuple[str, ...] = tuple(KINDS), most_rules: int = 4) -> Map:
    """A case without expectation: rules, calendars, facts."""
    night, names = draw(st.sampled_from(NIGHTS))
    t = Times(draw, night)
    rules = [rule(t, f"r{i}", list(kinds)) for i in range(t.number(1, most_rules))]
    return {"rules": rules, "calendars": {"cal": calendar(t)}, "facts": facts(t, names)}
