"""Which stops cover the contact, and whether one is live."""

from datetime import date, datetime

from tests.policy.oracle.case import Case, expand
from tests.policy.oracle.clock import Map, instant, local_date
from tests.policy.oracle.durations import lasts_at


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
