"""Short ways to write one case: a rule or several, and the few facts a test is about."""

from datetime import UTC, datetime
from typing import Any

from services.policy.decide import Allow, Decision, Defer, Suppress, decide
from services.policy.given_facts import question_from
from services.policy.pack import Origin, inline_pack
from services.policy.ruleset import RuleSet, compile_rules
from services.policy.yamlfile import Document

Map = dict[str, Any]
NEW_YORK = {"zone": "America/New_York", "basis": "address"}
LOS_ANGELES = {"zone": "America/Los_Angeles", "basis": "address"}


def rule_set(*rules: Map, calendars: Map | None = None) -> RuleSet:
    """Rules as YAML would give them; ids and citations are filled in."""
    written = [{"id": f"r{i}", "cite": ["test"], **rule} for i, rule in enumerate(rules)]
    given = {"rules": written, "calendars": calendars or {}}
    return compile_rules([inline_pack(given, Origin("test", Document("{}")))])


def facts(now: str, *, zones: list[Map] | None = None, **more: Any) -> Map:
    """A text message about a personal loan, at `now`; keys of `contact`, `debt`, `borrower` and
    `actor` are merged.
    """
    base: Map = {
        "now": now,
        "actor": {"role": "creditor"},
        "borrower": {"zones": [NEW_YORK] if zones is None else zones},
        "debt": {"id": "D1", "product": "personal_loan"},
        "contact": {"channel": "sms", "purpose": "collection", "recipient": "debtor"},
    }
    for key, value in more.items():
        base[key] = base[key] | value if key in base and isinstance(value, dict) else value
    return base


def ask(rules: RuleSet, given: Map) -> Decision:
    read, now = question_from(given)
    return decide(rules, read, now)


def answer(rule: Map | list[Map], given: Map, calendars: Map | None = None) -> str:
    """`allow`, `defer 2026-05-12T12:00:00Z`, or `suppress code,code`."""
    rules = rule if isinstance(rule, list) else [rule]
    match ask(rule_set(*rules, calendars=calendars), given):
        case Allow():
            return "allow"
        case Defer(until=until):
            return f"defer {until:%Y-%m-%dT%H:%M:%SZ}"
        case Suppress(reasons=reasons):
            return "suppress " + ",".join(reason.code for reason in reasons)


def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
