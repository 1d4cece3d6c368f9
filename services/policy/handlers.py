"""What policy does with each message: load, decide, save; one transaction a batch."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from services.events.codec import Envelope
from services.events.deliveries import BorrowerReplied, ContactPointChanged, DeliveryReceipt
from services.events.loans import BorrowerChanged, DebtChanged, FeedWatermark
from services.events.reminders import ReminderCancelled, ReminderDue
from services.policy import held, intake, receipts, stops
from services.policy.due import decide_due
from services.policy.known import Who
from services.policy.locks import borrower_subject, lock, point_subject
from services.policy.rulesets import RuleSets
from services.policy.stop_problems import StopEvent, problems
from services.runtime.consume import Rejection
from services.runtime.crashpoints import reach
from services.runtime.database import Connection
from services.runtime.identity import surrogate
from services.runtime.outbox import put


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What handlers and doors need beside their message."""

    rule_sets: RuleSets
    identity_key: bytes

    def identify(self, tenant: str, reference: str) -> UUID:
        """The surrogate of a lender's own reference."""
        return surrogate(self.identity_key, tenant, "borrower", reference)


async def on_due(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """Decide, and answer with allowed, deferred or suppressed; or hold."""
    dues = [e.event for e in batch if isinstance(e.event, ReminderDue)]
    await put(connection, await decide_due(connection, context.rule_sets, dues))
    reach("policy.decided")
    return []


async def on_cancelled(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """Leave a tombstone; what was held is held no longer."""
    cancelled = [e.event for e in batch if isinstance(e.event, ReminderCancelled)]
    await lock(connection, (borrower_subject(c.tenant, c.borrower_id) for c in cancelled))
    await intake.bury(connection, cancelled)
    await held.let_go(connection, [(c.tenant, c.reminder_id) for c in cancelled])
    return []


async def on_loan_changed(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """Borrowers, debts and watermarks; then what was held of these borrowers is asked again."""
    changed = [e.event for e in batch if isinstance(e.event, BorrowerChanged)]
    owed = [e.event for e in batch if isinstance(e.event, DebtChanged)]
    marks = [(e.partition, e.event) for e in batch if isinstance(e.event, FeedWatermark)]
    whom = [(b.tenant, b.borrower_id) for b in changed] + [(d.tenant, d.borrower_id) for d in owed]
    await lock(connection, (borrower_subject(*who) for who in whom))
    await intake.borrowers(connection, changed)
    await intake.debts(connection, owed)
    await intake.watermarks(connection, marks)
    await ask_again(context, connection, whom)
    return []


async def on_contact_point(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """What may be known of addresses; then what was held for want of one is asked again."""
    changed = [e.event for e in batch if isinstance(e.event, ContactPointChanged)]
    whom = [(p.tenant, p.borrower_id) for p in changed]
    points = [point_subject(p.tenant, p.contact_point_id) for p in changed]
    await lock(connection, [*(borrower_subject(*who) for who in whom), *points])
    await intake.contact_points(connection, changed)
    await ask_again(context, connection, whom)
    return []


async def on_stop(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """What lenders publish of stops, consents and notices; what is malformed is put aside."""
    rejections = []
    await stops.lock_all(connection, context.identify, (e.event for e in batch))
    for envelope in batch:
        event = envelope.event
        if not isinstance(event, StopEvent):
            continue
        wrong = problems(event)
        if not wrong:
            try:
                await stops.record(connection, context.identify, event)
            except stops.Refused as refused:
                wrong = [refused.problem]
        if wrong:
            said = "; ".join(f"{p.field} {p.problem}: {p.fix}" for p in wrong)
            rejections.append(Rejection(envelope, "invalid", said))
    return rejections


async def on_receipt(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """What became of a contact; upward only."""
    received = [e.event for e in batch if isinstance(e.event, DeliveryReceipt)]
    await receipts.receive(connection, received)
    return []


async def on_replied(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """An inbound entry in the ledger."""
    replied = [e.event for e in batch if isinstance(e.event, BorrowerReplied)]
    await intake.replies(connection, replied)
    return []


async def ask_again(context: Context, connection: Connection, whom: Sequence[Who]) -> None:
    """Decide what is held of these borrowers, on what is known of them now."""
    if whom:
        waiting = await held.of_borrowers(connection, whom)
        await put(connection, await decide_due(connection, context.rule_sets, waiting))


HANDLERS = {
    "reminder.due": on_due,
    "reminder.cancelled": on_cancelled,
    "loan.changed": on_loan_changed,
    "contact_point.changed": on_contact_point,
    "stop.events": on_stop,
    "delivery.receipt": on_receipt,
    "borrower.replied": on_replied,
}
