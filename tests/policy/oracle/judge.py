"""What one rule says at one instant, and whether any of them blocks."""

from datetime import datetime

from tests.policy.oracle.case import SUPPRESS, Case
from tests.policy.oracle.clock import Map, ZoneUnknown, local_date
from tests.policy.oracle.conditions import condition_holds, scope_matches
from tests.policy.oracle.consents import consent_required
from tests.policy.oracle.contact_limits import (
    contact_point_rule,
    content_must_include,
    content_must_not,
    recipient_limit,
)
from tests.policy.oracle.contact_window import contact_window
from tests.policy.oracle.frequency_cap import cooldown_after, frequency_cap
from tests.policy.oracle.sequence import obligation, retention, sequence_gate
from tests.policy.oracle.stop_when import stop_when
from tests.policy.oracle.stops import live, stops_of

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
