"""What each label of a message means for sending it: never, only when declared, or negatable."""

from typing import get_args

from services.events.words import Element, Label

LABELS: tuple[Label, ...] = get_args(Label)
ELEMENTS: tuple[Element, ...] = get_args(Element)

# No reminder of ours needs any of these, whatever the pack, the stage or the place.
NEVER: frozenset[Label] = frozenset(
    {
        "threat",
        "arrest_threat",
        "insult",
        "profanity",
        "public_shaming",
        "court_imitation",
        "authority_imitation",
        "misleading_identity",
        "false_statement",
        "asks_reason",
        "premium_number",
        "debt_hint",
    }
)
# These depend on the law and on the debt; a template that has one must declare it.
DECLARED: frozenset[Label] = frozenset(
    {"suit_threat", "credit_bureau_threat", "overshadowing", "pay_to_collector"}
)
# "We will not …" takes these back; "you are no thief" and "why have you not paid" don't.
NEGATABLE: frozenset[str] = frozenset(
    {
        "threat",
        "arrest_threat",
        "suit_threat",
        "credit_bureau_threat",
        "public_shaming",
        "authority_imitation",
        "asks_payment",
        "pay_to_collector",
        "collector_disclosure",
        "payment_methods",
        "reply_request",
        "states_debt",
    }
)
