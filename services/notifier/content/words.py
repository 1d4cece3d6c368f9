"""The closed lists that content is described in (facts v1), and the labels no message may have."""

from typing import Literal, get_args

Label = Literal[
    "threat",
    "arrest_threat",
    "suit_threat",
    "credit_bureau_threat",
    "insult",
    "profanity",
    "public_shaming",
    "court_imitation",
    "authority_imitation",
    "misleading_identity",
    "false_statement",
    "overshadowing",
    "asks_reason",
    "asks_payment",
    "pay_to_collector",
    "premium_number",
    "debt_hint",
]
Element = Literal[
    "collector_disclosure",
    "purpose_disclosure",
    "sender_name",
    "sender_address",
    "sender_activity",
    "creditor_name",
    "claim_basis",
    "amount",
    "payment_methods",
    "cost_rules",
    "callback_number",
    "reply_request",
    "dispute_rights",
]
OptOut = Literal["reply", "link", "post", "form_with_extra_data"]

LABELS: tuple[Label, ...] = get_args(Label)
ELEMENTS: tuple[Element, ...] = get_args(Element)
OPT_OUTS: tuple[OptOut, ...] = get_args(OptOut)

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
