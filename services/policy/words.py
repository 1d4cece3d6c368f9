"""The closed lists of facts and rules: every word a fact, a rule or a reason may use (rules.md,
cases/README.md).

What a message contains is described by the notifier and read by the rules: those lists are in
services/events/words.py.  A test holds the lists equal that events keep as enums.
"""

from typing import Literal, get_args

from services.events import words as told

Place = told.Place
ProvidedBy = told.ProvidedBy

Role = Literal["creditor", "collector"]
Basis = Literal["confirmed", "address", "mailing_address", "phone_prefix", "device", "country"]
Product = Literal[
    "personal_loan",
    "credit_card",
    "auto_loan",
    "mortgage",
    "student_loan",
    "microfinance",
    "medical",
    "other",
]
Stage = Literal["upcoming", "due", "overdue", "procedures"]
Channel = Literal[
    "call",
    "voicemail",
    "ringless_voicemail",
    "sms",
    "whatsapp",
    "im",
    "email",
    "push",
    "chat",
    "social_dm",
    "social_public",
    "letter",
    "postcard",
    "card",
    "visit",
]
ChannelOrGroup = Literal[Channel, "voice", "electronic", "paper"]
Purpose = Literal["reminder", "collection", "marketing", "transaction", "fraud_alert", "location"]
Recipient = Literal[
    "debtor",
    "co_debtor",
    "guarantor",
    "spouse",
    "parent",
    "guardian",
    "executor",
    "attorney",
    "representative",
    "creditor",
    "credit_bureau",
    "employer",
    "reference",
    "emergency_contact",
    "third_party",
]
Class = Literal[
    "ordinary",
    "validation_notice",
    "statutory_notice",
    "first_notice",
    "collection_terminated",
    "remedy_possible",
    "remedy_intended",
    "early_intervention_notice",
    "settlement_offer",
    "opt_out_confirmation",
    "consent_request",
    "relay_request",
    "limited_content",
    "friend_request",
]
Sequence = Literal["first", "later"]
Technology = Literal["manual", "dialer", "autodialed", "prerecorded", "ai_voice"]
PointKind = Literal["mobile", "landline", "email", "address", "app", "handle"]
CallerId = Literal["shown", "withheld"]
Device = Literal["company", "private"]
Outcome = Literal[
    "reserved",
    "unknown",
    "cancelled",
    "busy",
    "not_in_service",
    "no_answer",
    "mailbox_full",
    "voicemail_reached",
    "voicemail_left",
    "abandoned",
    "conversation",
    "sent",
    "delivered",
    "bounced",
    "message",
]
UnitName = Literal[
    "attempt", "connected", "reached", "successful", "conversation", "sent", "unanswered"
]
Direction = Literal["outbound", "inbound"]
StopKind = Literal[
    "opt_out",
    "cease",
    "refusal_to_pay",
    "attorney",
    "representative",
    "dispute",
    "complaint",
    "bankruptcy",
    "discharge",
    "deceased",
    "moratorium",
    "crisis_moratorium",
    "debt_review",
    "hardship",
    "plan_in_preparation",
    "occasion",
    "promise",
    "wrong_party",
    "no_work_contact",
    "inconvenient_place",
]
StopFact = Literal[StopKind, "nothing_due"]
ScopeKey = Literal["debts", "channels", "contact_points", "places", "purposes", "persons"]
Form = Literal["written", "electronic", "oral"]
ConsentKind = Literal["channel", "automated", "contact_time", "frequency", "place"]
GivenTo = Literal["actor", "creditor", "prior_collector"]
PreferenceKind = Literal["not_between", "only_between"]
Lifter = Literal["borrower", "officer", "lender"]
NoticeKind = Literal[
    "validation", "first_notice", "creditor_email", "credit_bureau", "default_notice"
]
DutyKind = Literal[
    "validation_notice",
    "dispute_answer",
    "complaint_answer",
    "opt_out_confirmation",
    "agent_notice",
]
KeyName = Literal[
    "person",
    "household",
    "debt",
    "account",
    "contact_point",
    "place",
    "collector",
    "creditor",
    "event",
]
DayClass = Literal["holiday", "half_day"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Severity = Literal["block", "warn"]
Confidence = Literal["high", "medium", "low"]
Status = Literal["draft", "in_force"]
RecordKind = Literal["decision", "contact", "content", "recording", "consent", "complaint"]
CountedFrom = Literal["event", "last_activity", "closed"]
Effect = Literal["defer", "suppress"]
RuleCode = Literal[
    "outside_contact_window",
    "closed_day",
    "holiday",
    "inconvenient_time_designated",
    "frequency_cap",
    "channel_exclusivity",
    "cooldown",
    "opted_out",
    "cease_communication",
    "attorney_represented",
    "representative_appointed",
    "dispute_pending",
    "complaint_pending",
    "bankruptcy_stay",
    "bankruptcy_discharge",
    "deceased",
    "moratorium",
    "debt_review",
    "hardship_pause",
    "sensitive_occasion",
    "promise_to_pay",
    "wrong_party",
    "nothing_due",
    "workplace_prohibited",
    "inconvenient_place",
    "consent_missing",
    "reassigned_number_check",
    "third_party_prohibited",
    "third_party_disclosure",
    "third_party_limit",
    "place_prohibited",
    "work_email",
    "channel_prohibited",
    "identity_missing",
    "content_missing",
    "content_prohibited",
    "stale_content",
    "escalation_gate",
    "required_action_overdue",
    "no_common_window",
    "zone_unknown",
]

WEEKDAYS: tuple[str, ...] = get_args(Weekday)
BASES: tuple[str, ...] = get_args(Basis)  # strongest first
UNIT_NAMES: tuple[UnitName, ...] = get_args(UnitName)


def as_text(word: str) -> str:
    """A word of a closed list as people read it: `opt_out` is "opt out"."""
    return word.replace("_", " ")
