"""The kind stop_when."""

from datetime import date, datetime, timedelta

from tests.policy.oracle.case import SUPPRESS, Case
from tests.policy.oracle.clock import Map, ZoneUnknown, instant, local_date
from tests.policy.oracle.conditions import condition_holds
from tests.policy.oracle.durations import elapsed, last_date
from tests.policy.oracle.stops import live, stops_of


def stop_when(rule: Map, case: Case, t: datetime, zones: list[str], cals: Map) -> str | None:
    kinds = [rule["fact"]] if isinstance(rule["fact"], str) else rule["fact"]
    found: str | None = None
    unknown = False
    for stop in stops_of(case, kinds, rule.get("ignore_scope", [])):
        if "form" in rule and "form" in stop and stop["form"] not in rule["form"]:
            continue
        if "ended" in stop and case.now >= instant(stop["ended"]):
            continue
        if "from" not in stop and "received" in stop and t < instant(stop["received"]):
            continue  # not begun, wherever that is
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
