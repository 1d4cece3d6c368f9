"""The closed lists of words that events share; rules.md and cases/README.md are their source."""

from enum import StrEnum
from typing import Literal


class Channel(StrEnum):
    """What the notifier can send on; call and visit are human channels and go by clearances."""

    PUSH = "push"
    SMS = "sms"
    EMAIL = "email"


class Stage(StrEnum):
    """Which tone and template."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    FINAL = "final"


class Role(StrEnum):
    """In whose name the contact is made (facts v1, actor.role)."""

    CREDITOR = "creditor"
    COLLECTOR = "collector"


class Product(StrEnum):
    """Facts v1, debt.product."""

    PERSONAL_LOAN = "personal_loan"
    CREDIT_CARD = "credit_card"
    AUTO_LOAN = "auto_loan"
    MORTGAGE = "mortgage"
    STUDENT_LOAN = "student_loan"
    MICROFINANCE = "microfinance"
    MEDICAL = "medical"
    OTHER = "other"


class Basis(StrEnum):
    """How a candidate zone is known; strongest first (rules.md section 2)."""

    CONFIRMED = "confirmed"
    ADDRESS = "address"
    MAILING_ADDRESS = "mailing_address"
    PHONE_PREFIX = "phone_prefix"
    DEVICE = "device"
    COUNTRY = "country"


class PointKind(StrEnum):
    """Facts v1, contact_point.kind, as far as a machine can send to it."""

    MOBILE = "mobile"
    LANDLINE = "landline"
    EMAIL = "email"
    APP = "app"


class AttemptState(StrEnum):
    """One delivery attempt's states: design.md section 3."""

    INTENT = "intent"
    IN_FLIGHT = "in_flight"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    ABANDONED = "abandoned"
    ACCEPTED_LATE = "accepted_late"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    DEFERRED = "deferred"
    LAPSED = "lapsed"


class Outcome(StrEnum):
    """The four ends of a reminder (P2); everything else is open."""

    SENT = "sent"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    CANCELLED = "cancelled"


# Where a contact point is, and from whom the lender has it (facts v1).
Place = Literal["home", "work", "personal"]
ProvidedBy = Literal["employer", "borrower", "unknown"]

# What a rendered message contains (facts v1, contact.content): found by the notifier, asked by the
# rules.
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
    "false_statement",
    "misleading_identity",
    "overshadowing",
    "asks_reason",
    "asks_payment",
    "pay_to_collector",
    "premium_number",
    "debt_hint",
]
OptOut = Literal["reply", "link", "post", "form_with_extra_data"]
