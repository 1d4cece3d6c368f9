"""The kind contact_window."""

from datetime import datetime

from tests.policy.oracle.case import DEFER, Case
from tests.policy.oracle.clock import Map, ZoneUnknown, instant
from tests.policy.oracle.hours import opens, shows


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
    if not zones:
        received = (p for p in wishes if "received" not in p or instant(p["received"]) <= case.now)
        if any("zone" not in p for p in received):
            raise ZoneUnknown
        wishes = [p for p in wishes if "zone" in p]
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
