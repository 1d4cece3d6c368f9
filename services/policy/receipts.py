"""What became of a contact, as the ledger counts it; outcomes move only upward."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from services.events.deliveries import DeliveryReceipt
from services.events.words import AttemptState, Outcome
from services.policy import known
from services.runtime.database import Connection

# Attempt state → outcome of rules.md 6.2.  Undelivered and expired were taken by a provider: the
# handset may have shown them all the same, so they count as sent.
OUTCOMES: dict[AttemptState, str | None] = {
    AttemptState.INTENT: None,
    AttemptState.IN_FLIGHT: None,
    AttemptState.ACCEPTED: "sent",
    AttemptState.ACCEPTED_LATE: "sent",
    AttemptState.UNDELIVERED: "sent",
    AttemptState.EXPIRED: "sent",
    AttemptState.DELIVERED: "delivered",
    AttemptState.BOUNCED: "bounced",
    AttemptState.UNKNOWN: "unknown",
    AttemptState.ABANDONED: "unknown",
    AttemptState.REJECTED: "cancelled",
    AttemptState.NOT_SENT: "cancelled",
    AttemptState.LAPSED: "cancelled",
    AttemptState.SUPPRESSED: "cancelled",
    AttemptState.DEFERRED: "cancelled",
}

# Lowest first.  A provider's word that it was sent beats our own that it wasn't.
RANKS = ["reserved", "cancelled", "unknown", "sent", "delivered", "bounced"]


class _Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A receipt as the ledger keeps it beside its contact."""

    state: AttemptState
    at: datetime
    code: str | None = None
    outcome: Outcome | None = None
    reason: str | None = None


async def receive(connection: Connection, receipts: Sequence[DeliveryReceipt]) -> None:
    """Enter a batch; of several about one attempt the highest counts, and each is noted."""
    highest: dict[tuple[str, object], tuple[str, DeliveryReceipt]] = {}
    told: dict[tuple[str, object], list[_Told]] = {}
    for receipt in receipts:
        outcome = OUTCOMES[receipt.state]
        key = (receipt.tenant, receipt.attempt_id)
        if outcome is None:
            continue
        told.setdefault(key, []).append(_told(receipt))
        if key not in highest or RANKS.index(highest[key][0]) < RANKS.index(outcome):
            highest[key] = (outcome, receipt)
    notes = {key: _encode(each).decode() for key, each in told.items()}
    released = {key: each for key, each in highest.items() if each[0] == "cancelled"}
    if released:
        ends = [receipt for _, receipt in released.values()]
        await connection.execute(
            known.LEDGER_SQL["receive_nothing_sent"],
            [r.tenant for r in ends],
            [r.attempt_id for r in ends],
            [r.borrower_id for r in ends],
            [r.contact_point_id for r in ends],
            [r.channel.value for r in ends],
            [r.at for r in ends],
            [r.reminder_id for r in ends],
            [notes[key] for key in released],
            [_may_be_under_way(r) for r in ends],
        )
    counted = {key: each for key, each in highest.items() if each[0] != "cancelled"}
    if counted:
        rows = [receipt for _, receipt in counted.values()]
        await connection.execute(
            known.LEDGER_SQL["receive"],
            [r.tenant for r in rows],
            [r.attempt_id for r in rows],
            [r.borrower_id for r in rows],
            [r.contact_point_id for r in rows],
            [r.channel.value for r in rows],
            [r.at for r in rows],
            [outcome for outcome, _ in counted.values()],
            [r.reminder_id for r in rows],
            RANKS,
            [notes[key] for key in counted],
        )


def _may_be_under_way(ended: DeliveryReceipt) -> bool:
    """Whether a redeem of this attempt may still come.

    Not where no channel was tried.  And a deferral is our own word, given again to whoever asks
    late; it may come every minute, and the ledger needn't keep each.
    """
    return ended.provider != "none" and ended.state is not AttemptState.DEFERRED


def _told(receipt: DeliveryReceipt) -> _Told:
    return _Told(
        state=receipt.state,
        at=receipt.at.astimezone(UTC),
        code=receipt.code,
        outcome=receipt.outcome,
        reason=receipt.reason,
    )


_encode = msgspec.json.Encoder().encode
