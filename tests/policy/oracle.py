"""A second evaluator, slow and plain, written from rules.md alone: it shares no code with the
engine.

It reads rules and facts as a case file writes them (maps and text), judges one instant at a time by
comparing local dates and clocks, and finds `until` by walking on from minute to minute.
"""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

Map = dict[str, Any]
DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
GROUPS = {
    "voice": {"call", "voicemail", "ringless_voicemail"},
    "electronic": {"sms", "whatsapp", "im", "email", "push", "chat", "social_dm"},
    "paper": {"letter", "postcard", "card"},
}
TABLE = """
reserved          attempt connected reached successful conversation sent unanswered
unknown           attempt connected reached successful conversation sent unanswered
cancelled
not_in_service    attempt
busy              attempt unanswered
no_answer         attempt connected unanswered
mailbox_full      attempt connected unanswered
voicemail_reached attempt connected reached unanswered
voicemail_left    attempt connected reached successful unanswered
abandoned         attempt connected reached
conversation      attempt connected reached successful conversation
sent              attempt connected reached successful sent
delivered         attempt connected reached successful sent
bounced           attempt sent
message           attempt connected reached successful
"""
UNITS = {row.split()[0]: set(row.split()[1:]) for row in TABLE.strip().splitlines()}
RANKS = ["confirmed", "address", "mailing_address", "phone_prefix", "device", "country"]
DEFER, SUPPRESS = "defer", "suppress"


class ZoneUnknown(Exception):
    """A local date is needed and there is no zone to read it in."""


@lru_cache(maxsize=100_000)
def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@lru_cache(maxsize=100_000)
def local(t: datetime, zone: str) -> datetime:
    return t.astimezone(ZoneInfo(zone))


def local_date(t: datetime, zone: str | None) -> date:
    if zone is None:
        raise ZoneUnknown
    return local(t, zone).date()


class Case:
    """Facts with their defaults, as of `now`."""

    def __init__(self, facts: Map) -> None:
        self.facts = facts
        self.now = instant(facts["now"])
        self.actor_id = facts["actor"].get("id", "us")
        self.debt = facts["debt"]
        self.debt_id = self.debt["id"]
        self.contact = facts["contact"]
        self.point = self.contact.get("contact_point", {})
        self.person = self.contact.get("person", self.contact["recipient"])
        self.household = facts["borrower"].get("household", ["debtor"])
        self.history = [
            e
            for e in facts.get("history", [])
            if instant(e["at"]) <= self.now and e["outcome"] != "cancelled"
        ]

    def candidates(self) -> list[Map]:
        zones = self.facts["borrower"]["zones"]
        return [z for z in zones if z["basis"] == "confirmed"] or zones

    def zones(self, rule: Map) -> list[str]:
        policy = rule.get("zones", "every_candidate")
        if isinstance(policy, dict):
            return [policy["fixed"]]
        found = self.candidates()
        if policy == "best_evidence" and found:
            best = min(RANKS.index(z["basis"]) for z in found)
            found = [z for z in found if RANKS.index(z["basis"]) == best]
        return [z["zone"] for z in found]

    def about_debt(self, e: Map) -> bool:
        return self.debt_id in e.get("debts", [self.debt_id])

    def sequence(self) -> str:
        if "sequence" in self.contact:
            return str(self.contact["sequence"])
        ours = [
            e
            for e in self.history
            if e.get("direction", "outbound") == "outbound"
            and self.about_debt(e)
            and e.get("collector", self.actor_id) == self.actor_id
        ]
        return "later" if ours else "first"

    def with_person(self) -> list[Map]:
        return [e for e in self.history if e.get("person", "debtor") == self.person]


def expand(channels: list[str]) -> set[str]:
    return set().union(*(GROUPS.get(c, {c}) for c in channels))


def counts_as(outcome: str, unit: str | list[str]) -> bool:
    if isinstance(unit, list):
        return outcome in unit or outcome in ("reserved", "unknown")
    return unit in UNITS[outcome]


# --- hours -----------------------------------------------------------------------------------


def named_days(name: str) -> list[int]:
    if name == "daily":
        return list(range(7))
    if "-" in name:
        a, b = (DAYS.index(x) for x in name.split("-"))
        return list(range(a, b + 1)) if a <= b else [*range(a, 7), *range(b + 1)]
    return [DAYS.index(name)]


def minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def hours_on(day: date, hours: Map, calendar: Map | None) -> list[str]:
    if calendar is not None:
        mark = calendar["dates"].get(day.isoformat())
        kind = None if mark is None else mark["class"] if isinstance(mark, dict) else "holiday"
        if "holiday" in hours and day.year not in calendar["covers"]:
            return []
        if kind in hours:
            return as_list(hours[kind])
    for name, value in hours.items():
        if name not in ("holiday", "half_day") and day.weekday() in named_days(name):
            return as_list(value)
    return []


def as_list(value: Any) -> list[str]:
    return [] if value == "closed" else value if isinstance(value, list) else [value]


def shows(t: datetime, zone: str, hours: Map, calendar: Map | None) -> bool:
    """Is the clock inside an interval, of this date or begun the date before?"""
    here = local(t, zone)
    at = here.hour * 60 + here.minute + here.second / 60
    for text in hours_on(here.date(), hours, calendar):
        a, b = (minutes(x) for x in text.split("-"))
        if a <= at < b or (b <= a and at >= a):
            return True
    for text in hours_on(here.date() - timedelta(days=1), hours, calendar):
        a, b = (minutes(x) for x in text.split("-"))
        if b <= a and at < b:
            return True
    return False


def opens(t: datetime, zone: str, hours: Map, calendar: Map | None) -> bool:
    return local(t, zone).fold == 0 and shows(t, zone, hours, calendar)


# --- durations ---------------------------------------------------------------------------------


def is_business(day: date, calendar: Map | None) -> bool:
    mark = None if calendar is None else calendar["dates"].get(day.isoformat())
    holiday = mark is not None and (not isinstance(mark, dict) or mark["class"] == "holiday")
    return day.weekday() < 5 and not holiday


def last_date(d: date, duration: Map, inclusive: bool, calendars: Map) -> date:
    inclusive = duration.get("inclusive", inclusive)
    if "days" in duration:
        return d + timedelta(days=duration["days"] - (1 if inclusive else 0))
    calendar = calendars[duration["calendar"]] if "calendar" in duration else None
    left, day = duration["business_days"], d - timedelta(days=1) if inclusive else d
    while left:
        day += timedelta(days=1)
        if is_business(day, calendar):
            left -= 1
    return day


def elapsed(duration: Map) -> timedelta | None:
    if "minutes" in duration or "hours" in duration:
        return timedelta(minutes=duration.get("minutes", 0), hours=duration.get("hours", 0))
    return None


def start_of(d: date, zone: str) -> datetime:
    """The first instant that shows this date or a later one."""
    t = datetime(d.year, d.month, d.day, tzinfo=UTC) - timedelta(hours=16)
    while local(t, zone).date() < d:
        t += timedelta(minutes=1)
    return t


def lasts_at(
    t: datetime, start: datetime | date, duration: Map, incl: bool, zone: str | None, cals: Map
) -> bool:
    """Is `t` not yet past the duration?"""
    length = elapsed(duration)
    if isinstance(start, datetime):
        if length is not None:
            return t < start + length
        return local_date(t, zone) <= last_date(local_date(start, zone), duration, incl, cals)
    if zone is None:
        raise ZoneUnknown
    if length is not None:
        return t < start_of(start, zone) + length
    return local_date(t, zone) <= last_date(start, duration, incl, cals)


# --- stops and consents --------------------------------------------------------------------------


def covers(stop: Map, case: Case, ignore: list[str]) -> bool:
    def limited(key: str) -> bool:
        return key in stop and key not in ignore

    if limited("debts") and case.debt_id not in stop["debts"]:
        return False
    if limited("channels") and case.contact["channel"] not in expand(stop["channels"]):
        return False
    if (
        limited("contact_points")
        and "id" in case.point
        and case.point["id"] not in stop["contact_points"]
    ):
        return False
    if limited("places") and case.point.get("place", "personal") not in stop["places"]:
        return False
    if limited("purposes") and case.contact["purpose"] not in stop["purposes"]:
        return False
    return not (limited("persons") and case.person not in stop["persons"])


def stops_of(case: Case, kinds: list[str], ignore: list[str]) -> list[Map]:
    found = [
        s for s in case.facts.get("stops", []) if s["kind"] in kinds and covers(s, case, ignore)
    ]
    balance = case.debt.get("balance")
    if "nothing_due" in kinds and balance is not None and balance <= 0:
        found.append({"kind": "nothing_due"})
    return found


def begun(stop: Map, t: datetime, zone: str | None) -> bool:
    if "from" in stop:
        return local_date(t, zone) >= date.fromisoformat(stop["from"])
    return "received" not in stop or t >= instant(stop["received"])


def live(stop: Map, t: datetime, zone: str | None, lasts: Map | None, cals: Map) -> bool:
    if "ended" in stop and t >= instant(stop["ended"]):
        return False
    if not begun(stop, t, zone):
        return False
    if "until" in stop:
        return local_date(t, zone) <= date.fromisoformat(stop["until"])
    if lasts is None:
        return True
    start: datetime | date | None
    if lasts.get("from", "began") == "basis_ended":
        start = date.fromisoformat(stop["basis_ended"]) if "basis_ended" in stop else None
    elif "from" in stop:
        start = date.fromisoformat(stop["from"])
    else:
        start = instant(stop["received"]) if "received" in stop else None
    return start is None or lasts_at(t, start, lasts, True, zone, cals)


def consent_lives(consent: Map, wanted: Map, case: Case, t: datetime, zones: list[str]) -> bool:
    """In every zone."""
    if consent["to"] != wanted["to"]:
        return False
    if "channels" in consent and case.contact["channel"] not in expand(consent["channels"]):
        return False
    if "contact_points" in consent and case.point.get("id") not in consent["contact_points"]:
        return False
    if "debts" in consent and case.debt_id not in consent["debts"]:
        return False
    if "form" in wanted and consent.get("form") not in wanted["form"]:
        return False
    if "given_to" in wanted and consent["given_to"] not in wanted["given_to"]:
        return False
    received = instant(consent["received"])
    if t < received or ("revoked" in consent and t >= instant(consent["revoked"])):
        return False
    if wanted.get("ends_on") == "conversation" and any(
        e["channel"] in GROUPS["voice"]
        and counts_as(e["outcome"], "conversation")
        and instant(e["at"]) > received
        for e in case.with_person()
    ):
        return False
    needs_zone = "until" in consent or "hours" in consent or "max_days" in wanted
    if needs_zone and not zones:
        raise ZoneUnknown
    for zone in zones:
        today = local_date(t, zone)
        if "until" in consent and today > date.fromisoformat(consent["until"]):
            return False
        if "max_days" in wanted:
            first = local_date(received, zone)
            if not first <= today < first + timedelta(days=wanted["max_days"]):
                return False
        if "hours" in consent:
            h = consent["hours"]
            hours = {h.get("days", "daily"): f"{h['from']}-{h['to']}"}
            if not opens(t, zone, hours, None):
                return False
    return True


# --- conditions
# ------------------------------------------------------------------------------------


def scope_matches(scope: Map, case: Case, unknown: bool) -> bool:
    """Every key but `stop` and those of 4.2."""
    c, d, p = case.contact, case.debt, case.point
    known: dict[str, Any] = {
        "role": case.facts["actor"]["role"],
        "purpose": c["purpose"],
        "recipient": c["recipient"],
        "class": c.get("class", "ordinary"),
        "technology": c.get("technology"),
        "sequence": case.sequence(),
        "place": p.get("place", "personal"),
        "point_kind": p.get("kind"),
        "product": d["product"],
        "stage": d.get("stage"),
    }
    for key, value in scope.items():
        if key in known:
            if known[key] is None:
                if not unknown:
                    return False
            elif known[key] not in value:
                return False
        elif key == "channel":
            if c["channel"] not in expand(value):
                return False
        elif key in ("shared", "time_barred"):
            if (p if key == "shared" else d).get(key, False) != value:
                return False
        elif key == "days_past_due":
            if "days_past_due" not in d:
                if not unknown:
                    return False
            elif not value.get("min", 0) <= d["days_past_due"] <= value.get("max", 10**9):
                return False
    return True


def span(text: str) -> timedelta:
    return timedelta(**{"minutes" if text[-1] == "m" else "hours": int(text[:-1])})


def condition_holds(
    cond: Map, case: Case, t: datetime, zones: list[str], cals: Map, stop: Map | None = None
) -> bool:
    try:
        return scope_matches(cond, case, unknown=False) and all(
            _part_holds(key, value, case, t, zones, cals, stop) for key, value in cond.items()
        )
    except ZoneUnknown:
        return False


def _part_holds(
    key: str, value: Any, case: Case, t: datetime, zones: list[str], cals: Map, stop: Map | None
) -> bool:
    if key == "stop":
        found = stops_of(case, value, [])
        return all(any(live(s, t, z, None, cals) for s in found) for z in zones or [None])
    if key == "consent":
        for consent in case.facts.get("consents", []):
            try:
                if consent_lives(consent, value, case, t, zones):
                    return True
            except ZoneUnknown:
                continue
        return False
    if key == "requested":
        entries = case.with_person()
        last = max((instant(e["at"]) for e in entries), default=None)
        return last is not None and all(
            e.get("requests_contact", False) for e in entries if instant(e["at"]) == last
        )
    if key == "used_by_borrower":
        return "id" in case.point and any(
            e.get("direction") == "inbound"
            and case.about_debt(e)
            and e.get("contact_point") == case.point["id"]
            for e in case.history
        )
    if key == "reply":
        return _is_reply(value, case, t, zones, stop)
    if key == "within":
        return all(t - b <= span(value) if b else False for b in _begins(stop, zones))
    if key == "max":
        for b in _begins(stop, zones):
            sent = [
                e
                for e in case.with_person()
                if e.get("direction", "outbound") == "outbound"
                and e.get("class", "ordinary") == case.contact.get("class", "ordinary")
                and (b is None or instant(e["at"]) >= b)
            ]
            if len(sent) >= value:
                return False
    return True


def _begins(stop: Map | None, zones: list[str]) -> list[datetime | None]:
    """When the stop began, in each zone; None: always."""
    assert stop is not None
    if "from" in stop:
        if not zones:
            raise ZoneUnknown
        return [start_of(date.fromisoformat(stop["from"]), z) for z in zones]
    return [instant(stop["received"]) if "received" in stop else None]


def _is_reply(value: Map, case: Case, t: datetime, zones: list[str], stop: Map | None) -> bool:
    entries = case.with_person()
    if value.get("same_channel", True):
        entries = [e for e in entries if e["channel"] == case.contact["channel"]]
    asked = max(
        (instant(e["at"]) for e in entries if e.get("direction") == "inbound"), default=None
    )
    if asked is None:
        return False
    if stop is not None and any(b is not None and asked <= b for b in _begins(stop, zones)):
        return False
    if value.get("once", True) and any(
        instant(e["at"]) > asked for e in entries if e.get("direction", "outbound") == "outbound"
    ):
        return False
    within = value.get("within", "24h")
    if within == "same_day":
        if not zones:
            raise ZoneUnknown
        return all(local_date(asked, z) == local_date(t, z) for z in zones)
    return t - asked <= span(within)


# --- the kinds
# -------------------------------------------------------------------------------------


def belongs(key: str, e: Map, case: Case, multi: str) -> bool:
    if key == "person":
        return bool(e.get("person", "debtor") == case.person)
    if key == "household":
        group = case.household if case.person in case.household else [case.person]
        return e.get("person", "debtor") in group
    if key == "debt":
        debts = e.get("debts", [case.debt_id])
        if multi == "allocated":
            debts = e.get("allocated_to", debts)
        return case.debt_id in debts
    if key == "account":
        if "account" not in e:
            return case.about_debt(e)
        return bool(e["account"] == case.debt.get("account", case.debt_id))
    if key == "place":
        return bool(e.get("place", "personal") == case.point.get("place", "personal"))
    if key == "collector":
        return bool(e.get("collector", case.actor_id) == case.actor_id)
    theirs, ours = {
        "contact_point": (e.get("contact_point"), case.point.get("id")),
        "event": (e.get("event"), case.contact.get("event")),
        "creditor": (e.get("creditor", case.debt.get("creditor")), case.debt.get("creditor")),
    }[key]
    return theirs is None or ours is None or theirs == ours


def filtered(e: Map, f: Map, unit: Any, direction: str, channels: list[str] | None) -> bool:
    chosen = f.get("channels", channels)
    way = f.get("direction", direction)
    return (
        (chosen is None or e["channel"] in expand(chosen))
        and counts_as(e["outcome"], f.get("unit", unit))
        and way in ("any", e.get("direction", "outbound"))
        and ("purposes" not in f or "purpose" not in e or e["purpose"] in f["purposes"])
        and ("classes" not in f or e.get("class", "ordinary") in f["classes"])
        and ("places" not in f or e.get("place", "personal") in f["places"])
        and (
            "technologies" not in f or "technology" not in e or e["technology"] in f["technologies"]
        )
    )


def contact_window(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    calendar = cals[rule["calendar"]] if "calendar" in rule else None
    if rule["hours"] == "preferences":
        return _wishes(case, t, zones)
    if not zones:
        raise ZoneUnknown
    return DEFER if any(not opens(t, z, rule["hours"], calendar) for z in zones) else None


def _wishes(case: Case, t: datetime, zones: list[str]) -> str | None:
    """What was withdrawn before now is history; what was not may be live now or later."""
    wishes = [
        p
        for p in case.facts.get("preferences", [])
        if not ("withdrawn" in p and case.now >= instant(p["withdrawn"]))
    ]
    if not zones and any("zone" not in p for p in wishes):
        raise ZoneUnknown
    for z in zones or ["UTC"]:
        offered: list[bool] = []
        for p in wishes:
            if "received" in p and t < instant(p["received"]):
                continue
            if "withdrawn" in p and t >= instant(p["withdrawn"]):
                continue
            hours = {p.get("days", "daily"): f"{p['from']}-{p['to']}"}
            if p["kind"] == "not_between" and shows(t, p.get("zone", z), hours, None):
                return DEFER
            if p["kind"] == "only_between":
                offered.append(opens(t, p.get("zone", z), hours, None))
        if offered and not any(offered):
            return DEFER
    return None


def frequency_cap(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    multi, window = rule.get("multi_debt", "each"), rule["window"]
    mine = [e for e in case.history if all(belongs(k, e, case, multi) for k in rule["key"])]
    if "starts_after" in rule and not any(
        counts_as(e["outcome"], rule["starts_after"]) for e in mine
    ):
        return None
    if "rolling" not in window and not zones:
        raise ZoneUnknown
    channels = rule.get("applies", {}).get("channel")
    counting = [
        e for e in mine if filtered(e, rule.get("counts", {}), "attempt", "outbound", channels)
    ]
    counting = [e for e in counting if not _excluded(e, rule.get("exclude", []), case)]
    for z in zones or [None]:
        inside = [e for e in counting if _in_window(instant(e["at"]), t, window, z)]
        if rule.get("aggregate", "count") == "count":
            full = len(inside) >= rule["max"]
        else:
            used = {e["channel"] for e in inside} | {case.contact["channel"]}
            full = len({"voice" if c in GROUPS["voice"] else c for c in used}) > rule["max"]
        if full:
            return DEFER
    return None


def _excluded(e: Map, exclude: list[str], case: Case) -> bool:
    if "consented" in exclude and e.get("consented"):
        return True
    if "reply" in exclude and "in_reply_to" in e:
        return True
    return "requested" in exclude and any(
        o.get("id") == e.get("in_reply_to", object()) and o.get("requests_contact")
        for o in case.history
    )


def _in_window(e: datetime, t: datetime, window: Map, zone: str | None) -> bool:
    if "rolling" in window:
        return t - span(window["rolling"]) < e <= t
    then, today = local_date(e, zone), local_date(t, zone)
    if "days" in window:
        return today - timedelta(days=window["days"] - 1) <= then <= today
    if window["calendar"] == "day":
        return then == today
    if window["calendar"] == "month":
        return (then.year, then.month) == (today.year, today.month)
    starts = DAYS.index(window.get("starts", "mon"))

    def week(d: date) -> date:
        return d - timedelta(days=(d.weekday() - starts) % 7)

    return week(then) == week(today)


def cooldown_after(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    multi = rule.get("multi_debt", "each")
    for e in case.history:
        if filtered(e, rule["trigger"], "conversation", "any", None) and all(
            belongs(k, e, case, multi) for k in rule["key"]
        ):
            for z in zones or [None]:
                if lasts_at(t, instant(e["at"]), rule["lasts"], True, z, cals):
                    return DEFER
    return None


def stop_when(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    kinds = [rule["fact"]] if isinstance(rule["fact"], str) else rule["fact"]
    found: str | None = None
    unknown = False
    for stop in stops_of(case, kinds, rule.get("ignore_scope", [])):
        if "form" in rule and "form" in stop and stop["form"] not in rule["form"]:
            continue
        if "ended" in stop and case.now >= instant(stop["ended"]):
            continue
        try:
            lives = any(
                _in_period(rule.get("received_within"), stop, case, z, cals)
                and live(stop, t, z, rule.get("lasts"), cals)
                for z in zones or [None]
            )
        except ZoneUnknown:
            if not any(
                condition_holds(c, case, t, zones, cals, stop) for c in rule.get("unless", [])
            ):
                unknown = True
            continue
        if lives and not any(
            condition_holds(c, case, t, zones, cals, stop) for c in rule.get("unless", [])
        ):
            found = rule.get("effect", SUPPRESS)
    return SUPPRESS if unknown else found


def _in_period(within: Map | None, stop: Map, case: Case, zone: str | None, cals: Map) -> bool:
    if within is None or "received" not in stop:
        return True
    notices = [
        n
        for n in case.facts.get("notices", [])
        if n["kind"] == within["notice"]
        and not n.get("returned", False)
        and instant(n["sent"]) <= case.now
    ]
    if not notices:
        return True
    notice = max(notices, key=lambda n: instant(n["sent"]))
    if "period_ends" in notice:
        last = date.fromisoformat(notice["period_ends"])
    else:
        sent = instant(notice["sent"])
        last = local_date(sent, zone)
        if "receipt" in within:
            length = elapsed(within["receipt"])
            if length is None:
                last = last_date(last, within["receipt"], False, cals)
            else:
                last = local_date(sent + length, zone)
        last += timedelta(days=within["days"])
    return local_date(instant(stop["received"]), zone) <= last


def consent_required(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    if "to" in rule:
        lives = False
        for consent in case.facts.get("consents", []):
            try:
                lives = lives or consent_lives(consent, rule, case, t, zones)
            except ZoneUnknown:
                continue
        if not lives:
            return SUPPRESS
    if "recheck" in rule:
        by = rule["recheck"]["by"]
        proofs: list[datetime | date] = []
        if "inbound" in by:
            proofs += [
                instant(e["at"])
                for e in case.with_person()
                if e.get("direction") == "inbound"
                and e["channel"] == case.contact["channel"]
                and e.get("contact_point", case.point.get("id"))
                == case.point.get("id", e.get("contact_point"))
            ]
        if "check" in by and "checked_on" in case.point:
            proofs.append(date.fromisoformat(case.point["checked_on"]))
        if not proofs or not zones:
            return SUPPRESS
        for z in zones:
            today, oldest = local_date(t, z), timedelta(days=rule["recheck"]["days"])
            days = [local_date(p, z) if isinstance(p, datetime) else p for p in proofs]
            if not any(today - oldest <= d <= today for d in days):
                return SUPPRESS
    return None


def recipient_limit(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    c = case.contact
    if c["recipient"] in rule["allowed"]:
        return None
    for x in rule.get("exceptions", []):
        if c["recipient"] not in x["recipients"]:
            continue
        if "purpose" in x and c["purpose"] not in x["purpose"]:
            continue
        if "class" in x and c.get("class", "ordinary") not in x["class"]:
            continue
        if x.get("only_if_unreachable") and not case.facts["borrower"].get("unreachable", False):
            continue
        if c.get("content", {}).get("states_debt") is not False:
            continue
        made = [
            e
            for e in case.with_person()
            if e.get("direction", "outbound") == "outbound"
            and counts_as(e["outcome"], "successful")
        ]
        if (
            "max_contacts" not in x
            or len(made) < x["max_contacts"]
            or _part_holds("requested", True, case, t, zones, cals, None)
        ):
            return None
    return SUPPRESS


def contact_point_rule(rule: Map, case: Case, t: datetime, z: list[str], cals: Map) -> str | None:
    ((key, values),) = rule["deny"].items()
    sender = case.contact.get("sender", {})
    if key == "channel":
        return SUPPRESS if case.contact["channel"] in expand(values) else None
    fact = {
        "place": case.point.get("place", "personal"),
        "provided_by": case.point.get("provided_by", "unknown"),
        "shared": case.point.get("shared", False),
        "caller_id": sender.get("caller_id", "shown"),
        "device": sender.get("device", "company"),
    }[key]
    return SUPPRESS if fact in values else None


def content_must_include(rule: Map, case: Case, t: datetime, z: list[str], c: Map) -> str | None:
    content = case.contact.get("content")
    if content is None:
        return None
    if not set(rule.get("elements", [])) <= set(content.get("elements", [])):
        return SUPPRESS
    return SUPPRESS if "opt_out" in rule and content.get("opt_out") not in rule["opt_out"] else None


def content_must_not(rule: Map, case: Case, t: datetime, z: list[str], c: Map) -> str | None:
    content = case.contact.get("content")
    if content is None:
        return None
    bad = (
        set(rule.get("labels", [])) & set(content.get("labels", []))
        or any(re.search(p, content.get("text", ""), re.I) for p in rule.get("patterns", []))
        or (
            rule.get("must_match")
            and "amount" in content
            and content["amount"] != case.debt.get("balance")
        )
        or (rule.get("states_debt") and content.get("states_debt") is True)
    )
    return SUPPRESS if bad else None


def sequence_gate(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    need = rule["require"]
    if "fact" in need:
        return None if case.debt.get("missed_meetings", 0) >= need["at_least"] else SUPPRESS
    if "contacts" in need:
        f = need["contacts"]
        made = [
            e
            for e in case.history
            if case.about_debt(e) and filtered(e, f, "attempt", "outbound", None)
        ]
        return None if len(made) >= need["at_least"] else SUPPRESS
    notices = [
        n
        for n in case.facts.get("notices", [])
        if n["kind"] == need["notice"] and not n.get("returned", False)
    ]
    ages = [need[k] for k in ("min_age", "max_age") if k in need]
    if (
        notices
        and not zones
        and (need.get("after_period") or any(elapsed(a) is None for a in ages))
    ):
        raise ZoneUnknown
    answer: str | None = None
    for z in zones or [None]:
        states = [_age_of(n, need, t, z, cals) for n in notices if instant(n["sent"]) <= t]
        if "ok" in states:
            continue
        answer = DEFER if "young" in states and answer != SUPPRESS else SUPPRESS
    return answer


def _age_of(n: Map, need: Map, t: datetime, zone: str | None, cals: Map) -> str:
    sent = instant(n["sent"])
    young = False
    if "max_age" in need:
        length = elapsed(need["max_age"])
        if length is not None:
            old = t - sent > length
        else:
            limit = last_date(local_date(sent, zone), need["max_age"], False, cals)
            old = local_date(t, zone) > limit
        if old:
            return "old"
    if "min_age" in need:
        length = elapsed(need["min_age"])
        if length is not None:
            young = t - sent < length
        else:
            first = last_date(local_date(sent, zone), need["min_age"], False, cals)
            young = local_date(t, zone) < first
    if need.get("after_period"):
        if "period_ends" not in n:
            return "old"
        young = young or local_date(t, zone) <= date.fromisoformat(n["period_ends"])
    return "young" if young else "ok"


def obligation(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    for duty in case.facts.get("duties", []):
        if duty["kind"] != rule["duty"] or ("done" in duty and t >= instant(duty["done"])):
            continue
        since = duty["since"]
        start = instant(since) if "T" in since else date.fromisoformat(since)
        for z in zones or [None]:
            if not lasts_at(t, start, rule["due"], False, z, cals):
                return SUPPRESS
    return None


def retention(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    return None


KINDS = {
    f.__name__: f
    for f in (
        contact_window,
        frequency_cap,
        cooldown_after,
        stop_when,
        consent_required,
        recipient_limit,
        contact_point_rule,
        content_must_include,
        content_must_not,
        sequence_gate,
        obligation,
        retention,
    )
}


# --- together
# --------------------------------------------------------------------------------------


def objects(rule: Map, case: Case, t: datetime, cals: Map) -> str | None:
    """`defer`, `suppress`, or None if the rule does not block at `t`."""
    if rule.get("severity") == "warn":
        return None
    zones = case.zones(rule)
    effective = rule.get("effective", {})
    days = [local_date(t, z) for z in zones] or [t.date()]
    if not any(
        effective.get("from", "0001-01-01") <= d.isoformat() <= effective.get("to", "9999-12-31")
        for d in days
    ):
        return None
    scope = rule.get("applies", {})
    if not scope_matches(scope, case, unknown=True):
        return None
    if "stop" in scope:
        found = stops_of(case, scope["stop"], [])
        try:
            if not any(live(s, t, z, None, cals) for s in found for z in zones or [None]):
                return None
        except ZoneUnknown:
            pass
    try:
        effect = KINDS[rule["kind"]](rule, case, t, zones, cals)
    except ZoneUnknown:
        effect = SUPPRESS
    if effect is None or rule["kind"] == "stop_when":
        return effect
    lifted = any(condition_holds(c, case, t, zones, cals) for c in rule.get("unless", []))
    return None if lifted else effect


def blocked(rules: list[Map], case: Case, t: datetime, cals: Map) -> bool:
    return any(objects(rule, case, t, cals) for rule in rules)


def decide(
    rules: list[Map], facts: Map, cals: Map, step: timedelta = timedelta(minutes=1)
) -> tuple[str, datetime | None]:
    """The decision and `until`, looking at every `step` of the next 45 days."""
    case = Case(facts)
    effects = [e for rule in rules if (e := objects(rule, case, case.now, cals))]
    if not effects:
        return "allow", None
    if SUPPRESS in effects:
        return SUPPRESS, None
    t, last = case.now + step, case.now + timedelta(hours=45 * 24)
    while t <= last:
        if not blocked(rules, case, t, cals):
            return DEFER, t
        t += step
    return SUPPRESS, None
