"""What became of a contact, as the ledger counts it; outcomes move only upward."""

from collections.abc import Sequence

from services.events.deliveries import DeliveryReceipt
from services.events.words import AttemptState
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


async def receive(connection: Connection, receipts: Sequence[DeliveryReceipt]) -> None:
    """Enter a batch; of several about one attempt the highest counts."""
    highest: dict[tuple[str, object], tuple[str, DeliveryReceipt]] = {}
    for receipt in receipts:
        outcome = OUTCOMES[receipt.state]
        key = (receipt.tenant, receipt.attempt_id)
        if outcome is None:
            continue
        if key not in highest or RANKS.index(highest[key][0]) < RANKS.index(outcome):
            highest[key] = (outcome, receipt)
    released = [r for outcome, r in highest.values() if outcome == "cancelled"]
    if released:
        await connection.execute(
            known.LEDGER_SQL["cancel_bookings"],
            [r.tenant for r in released],
            [r.attempt_id for r in released],
        )
    counted = [(outcome, r) for outcome, r in highest.values() if outcome != "cancelled"]
    if counted:
        await connection.execute(
            known.LEDGER_SQL["receive"],
            [r.tenant for _, r in counted],
            [r.attempt_id for _, r in counted],
            [r.borrower_id for _, r in counted],
            [r.contact_point_id for _, r in counted],
            [r.channel.value for _, r in counted],
            [r.at for _, r in counted],
            [outcome for outcome, _ in counted],
            [r.reminder_id for _, r in counted],
            RANKS,
        )
