"""Whether a consent is live, and the rule that wants one."""

from datetime import date, datetime, timedelta

from tests.policy.oracle.case import GROUPS, SUPPRESS, Case, counts_as, expand
from tests.policy.oracle.clock import Map, ZoneUnknown, instant, local_date
from tests.policy.oracle.hours import opens


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
