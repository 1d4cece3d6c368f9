"""The kinds on whom, where and with what: recipients, contact points, content."""

import re
from datetime import datetime

from tests.policy.oracle.case import SUPPRESS, Case, counts_as, expand
from tests.policy.oracle.clock import Map
from tests.policy.oracle.conditions import part_holds


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
            or part_holds("requested", True, case, t, zones, cals, None)
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
