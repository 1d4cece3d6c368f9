"""Which earlier contacts a rule looks at."""

from typing import Any

from tests.policy.oracle.case import Case, counts_as, expand
from tests.policy.oracle.clock import Map


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
