"""Which outcomes of an earlier contact count as what (the table of rules.md 6.2)."""

from collections.abc import Iterable

# A permit given but not yet placed, or an outcome we could not learn: it counts as everything.
UNSETTLED = frozenset({"reserved", "unknown"})

UNITS: dict[str, frozenset[str]] = {
    "attempt": UNSETTLED
    | {
        "not_in_service",
        "busy",
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
    },
    "connected": UNSETTLED
    | {
        "no_answer",
        "mailbox_full",
        "voicemail_reached",
        "voicemail_left",
        "abandoned",
        "conversation",
        "sent",
        "delivered",
        "message",
    },
    "reached": UNSETTLED
    | {
        "voicemail_reached",
        "voicemail_left",
        "abandoned",
        "conversation",
        "sent",
        "delivered",
        "message",
    },
    "successful": UNSETTLED | {"voicemail_left", "conversation", "sent", "delivered", "message"},
    "conversation": UNSETTLED | {"conversation"},
    "sent": UNSETTLED | {"sent", "delivered", "bounced"},
    "unanswered": UNSETTLED
    | {"busy", "no_answer", "mailbox_full", "voicemail_reached", "voicemail_left"},
}

Unit = str | frozenset[str]


def outcomes_of(unit: str | Iterable[str]) -> frozenset[str]:
    """The outcomes a unit stands for. In a list of outcomes an unsettled entry may be any of them,
    so it counts.
    """
    return UNITS[unit] if isinstance(unit, str) else frozenset(unit) | UNSETTLED
