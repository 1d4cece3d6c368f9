"""Which outcomes of an earlier contact count as what (the table of rules.md 6.2)."""

from collections.abc import Iterable

from services.policy.words import Outcome, UnitName

Unit = UnitName | frozenset[Outcome]

# A permit given but not yet placed, or an outcome we could not learn: it counts as everything.
UNSETTLED: frozenset[Outcome] = frozenset({"reserved", "unknown"})

# The first four are rungs of one ladder: each holds all that the one before it holds.
_SUCCESSFUL: frozenset[Outcome] = frozenset(
    {*UNSETTLED, "voicemail_left", "conversation", "sent", "delivered", "message"}
)
_REACHED: frozenset[Outcome] = frozenset({*_SUCCESSFUL, "voicemail_reached", "abandoned"})
_CONNECTED: frozenset[Outcome] = frozenset({*_REACHED, "no_answer", "mailbox_full"})
_ATTEMPT: frozenset[Outcome] = frozenset({*_CONNECTED, "busy", "not_in_service", "bounced"})

UNITS: dict[UnitName, frozenset[Outcome]] = {
    "attempt": _ATTEMPT,
    "connected": _CONNECTED,
    "reached": _REACHED,
    "successful": _SUCCESSFUL,
    "conversation": frozenset({*UNSETTLED, "conversation"}),
    "sent": frozenset({*UNSETTLED, "sent", "delivered", "bounced"}),
    "unanswered": frozenset(
        {*UNSETTLED, "busy", "no_answer", "mailbox_full", "voicemail_reached", "voicemail_left"}
    ),
}


def outcomes_of(unit: UnitName | Iterable[Outcome]) -> frozenset[Outcome]:
    """The outcomes a unit stands for. In a list of outcomes an unsettled entry may be any of them,
    so it counts.
    """
    return UNITS[unit] if isinstance(unit, str) else frozenset(unit) | UNSETTLED
