"""A case with its defaults, and what channels and outcomes stand for (rules.md 6)."""

from tests.policy.oracle.clock import Map, instant

GROUPS = {
    "voice": {"call", "voicemail", "ringless_voicemail"},
    "electronic": {"sms", "whatsapp", "im", "email", "push", "chat", "social_dm"},
    "paper": {"letter", "postcard", "card"},
}
TABLE = """
reserved          attempt connected reached successful conversation sent unanswered
unknown           attempt connected reached successful conversation sent unanswered
cancelled
not_in_service    attempt
busy              attempt unanswered
no_answer         attempt connected unanswered
mailbox_full      attempt connected unanswered
voicemail_reached attempt connected reached unanswered
voicemail_left    attempt connected reached successful unanswered
abandoned         attempt connected reached
conversation      attempt connected reached successful conversation
sent              attempt connected reached successful sent
delivered         attempt connected reached successful sent
bounced           attempt sent
message           attempt connected reached successful
"""
UNITS = {row.split()[0]: set(row.split()[1:]) for row in TABLE.strip().splitlines()}
RANKS = ["confirmed", "address", "mailing_address", "phone_prefix", "device", "country"]
DEFER, SUPPRESS = "defer", "suppress"


class Case:
    """Facts with their defaults, as of `now`."""

    def __init__(self, facts: Map) -> None:
        self.facts = facts
        self.now = instant(facts["now"])
        self.actor_id = facts["actor"].get("id", "us")
        self.debt = facts["debt"]
        self.debt_id = self.debt["id"]
        self.contact = facts["contact"]
        self.point = self.contact.get("contact_point", {})
        self.person = self.contact.get("person", self.contact["recipient"])
        self.household = facts["borrower"].get("household", ["debtor"])
        self.history = [
            e
            for e in facts.get("history", [])
            if instant(e["at"]) <= self.now and e["outcome"] != "cancelled"
        ]

    def candidates(self) -> list[Map]:
        zones = self.facts["borrower"]["zones"]
        return [z for z in zones if z["basis"] == "confirmed"] or zones

    def zones(self, rule: Map) -> list[str]:
        policy = rule.get("zones", "every_candidate")
        if isinstance(policy, dict):
            return [policy["fixed"]]
        found = self.candidates()
        if policy == "best_evidence" and found:
            best = min(RANKS.index(z["basis"]) for z in found)
            found = [z for z in found if RANKS.index(z["basis"]) == best]
        return [z["zone"] for z in found]

    def about_debt(self, e: Map) -> bool:
        return self.debt_id in e.get("debts", [self.debt_id])

    def sequence(self) -> str:
        if "sequence" in self.contact:
            return str(self.contact["sequence"])
        ours = [
            e
            for e in self.history
            if e.get("direction", "outbound") == "outbound"
            and self.about_debt(e)
            and e.get("collector", self.actor_id) == self.actor_id
        ]
        return "later" if ours else "first"

    def with_person(self) -> list[Map]:
        return [e for e in self.history if e.get("person", "debtor") == self.person]


def expand(channels: list[str]) -> set[str]:
    return set().union(*(GROUPS.get(c, {c}) for c in channels))


def counts_as(outcome: str, unit: str | list[str]) -> bool:
    if isinstance(unit, list):
        return outcome in unit or outcome in ("reserved", "unknown")
    return unit in UNITS[outcome]
