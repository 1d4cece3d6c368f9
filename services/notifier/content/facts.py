"""What policy is told of a rendered message: what its template declares, held to what it says."""

from services.events.permits import ContentFacts
from services.events.words import Channel
from services.notifier.content.classify import (
    MessageParts,
    preferred_opt_out,
    search,
    sender_is_named,
)
from services.notifier.content.lists import lists_for
from services.notifier.content.numbers import states_amount
from services.notifier.content.words import LABELS

# No list can tell a creditor's name, a street or a trade from other words for sure: for these the
# reviewer's declaration stands.
UNPROVABLE = frozenset({"creditor_name", "sender_address", "sender_activity"})


def content_facts(
    parts: MessageParts, declared: ContentFacts, language: str, channel: Channel
) -> ContentFacts:
    """Declared elements that are really there, and every label, declared or found.

    Both ways in doubt for the borrower: a disclosure that a broken template lost is missing, and a
    threat that a lender's text brought in is there.  An opt-out counts only if declared and found;
    a debt is stated if either says so.
    """
    elements = {*declared.elements}
    confirmed = elements & UNPROVABLE
    labels = {*declared.labels}
    opt_outs: list[str] = []
    states_debt = declared.states_debt
    for entry in search(lists_for(language), parts, channel, elements):
        match entry.kind:
            case "label":
                labels.add(entry.name)
            case "element":
                if entry.name in elements:
                    confirmed.add(entry.name)
            case "opt_out":
                opt_outs.append(entry.name)
            case "states_debt":
                states_debt = True
    if "sender_name" in elements and sender_is_named(parts, channel):
        confirmed.add("sender_name")
    if "amount" in elements and states_amount(parts.subject or "", parts.body):
        confirmed.add("amount")
    opt_out = declared.opt_out
    if opt_out is not None and opt_out not in opt_outs:
        opt_out = preferred_opt_out(opt_outs, channel)
    return ContentFacts(
        elements=tuple(element for element in declared.elements if element in confirmed),
        labels=tuple(label for label in LABELS if label in labels),
        opt_out=opt_out,
        states_debt=states_debt,
    )
