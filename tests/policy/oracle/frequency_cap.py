"""The kinds that count and wait: frequency_cap, cooldown_after."""

from datetime import date, datetime, timedelta

from tests.policy.oracle.case import DEFER, GROUPS, Case, counts_as
from tests.policy.oracle.clock import Map, ZoneUnknown, instant, local_date
from tests.policy.oracle.conditions import span
from tests.policy.oracle.durations import lasts_at
from tests.policy.oracle.entries import belongs, filtered
from tests.policy.oracle.hours import DAYS


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
