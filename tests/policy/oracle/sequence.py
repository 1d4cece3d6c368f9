"""The kinds on what must have happened before: sequence_gate, obligation, retention."""

from datetime import date, datetime

from tests.policy.oracle.case import DEFER, SUPPRESS, Case
from tests.policy.oracle.clock import Map, ZoneUnknown, instant, local_date
from tests.policy.oracle.durations import elapsed, last_date, lasts_at
from tests.policy.oracle.entries import filtered


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
