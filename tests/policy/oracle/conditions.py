"""Scopes and the conditions that lift a rule (rules.md 4)."""

from datetime import date, datetime, timedelta
from typing import Any

from tests.policy.oracle.case import Case, expand
from tests.policy.oracle.clock import Map, ZoneUnknown, instant, local_date
from tests.policy.oracle.consents import consent_lives
from tests.policy.oracle.durations import start_of
from tests.policy.oracle.stops import live, stops_of


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
            part_holds(key, value, case, t, zones, cals, stop) for key, value in cond.items()
        )
    except ZoneUnknown:
        return False


def part_holds(
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
        candidates = [z["zone"] for z in case.candidates()]
        if not candidates:
            raise ZoneUnknown
        return all(local_date(asked, z) == local_date(t, z) for z in candidates)
    return t - asked <= span(within)
