"""One question to the rules: the facts as of `now`, with what several rules ask of them looked up
once.
"""

from datetime import datetime

from services.policy.blocks.localtime import seconds
from services.policy.blocks.zones import candidates
from services.policy.facts import Entry, Facts

Past = tuple[int, Entry]  # when it was, and what


class Question:
    """Facts and `now`, in whole seconds. Only the clock moves in a search, so all of this holds for
    later instants.
    """

    __slots__ = (
        "account",
        "best_zones",
        "channel",
        "collector",
        "contact",
        "creditor",
        "debt_id",
        "event",
        "facts",
        "history",
        "household",
        "now",
        "person",
        "place",
        "point_id",
        "zones",
    )

    def __init__(self, facts: Facts, now: datetime) -> None:
        contact, debt, point = facts.contact, facts.debt, facts.contact.contact_point
        self.facts = facts
        self.contact = contact
        self.now = at = seconds(now)
        self.zones, self.best_zones = candidates(facts.borrower.zones)
        self.channel = contact.channel
        self.person: str = contact.person or contact.recipient
        self.place = point.place
        self.point_id = point.id
        self.event = contact.event
        self.debt_id = debt.id
        self.account = debt.account or debt.id
        self.creditor = debt.creditor
        self.collector = facts.actor.id
        # What was cancelled never left, what comes later than now does not exist yet.
        self.history: list[Past] = [
            (t, entry)
            for entry in facts.history
            if (t := int(entry.at.timestamp())) <= at and entry.outcome != "cancelled"
        ]
        self.household = facts.borrower.household

    def sequence(self) -> str:
        """As given; else `first` as long as this actor has not written or called about the debt."""
        if self.contact.sequence is not None:
            return self.contact.sequence
        for _, entry in self.history:
            if (
                entry.direction == "outbound"
                and self.about_this_debt(entry)
                and (entry.collector or self.collector) == self.collector
            ):
                return "later"
        return "first"

    def about_this_debt(self, entry: Entry) -> bool:
        return entry.debts is None or self.debt_id in entry.debts
