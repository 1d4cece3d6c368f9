"""What the scheduler does with each topic's events: load, ask, save and put, in one transaction."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from services.events.codec import Envelope, derived_id, encode
from services.events.deliveries import ContactPointChanged, DeliveryReceipt
from services.events.loans import FeedWatermark, SourceWatermark
from services.events.reminders import ReminderDeferred, ReminderSuppressed
from services.events.topics import TOPIC_OF, TOPICS
from services.events.words import Outcome
from services.runtime import clock, outbox
from services.runtime.consume import Rejection
from services.runtime.database import Connection
from services.runtime.web import FieldError
from services.scheduler import intake, store, store_reminders
from services.scheduler.checks import faults
from services.scheduler.conflicts import Fact
from services.scheduler.intake import Context
from services.scheduler.keys import BorrowerKey
from services.scheduler.refresh import SOURCE, count_settled, refresh


async def on_loan_events(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """A lender's facts are recorded; watermarks go on behind the facts they cover."""
    now = await clock.gate_now(connection)
    facts = [(e, e.event) for e in batch if isinstance(e.event, Fact)]
    outcomes = await intake.record(context, connection, [[fact] for _, fact in facts], now)
    rejections = [
        _rejection(envelope, outcome.errors)
        for (envelope, _), outcome in zip(facts, outcomes, strict=True)
        if outcome.errors
    ]
    marks = []
    for envelope in batch:
        if isinstance(envelope.event, SourceWatermark):
            if found := faults(envelope.event, cadences=context.cadences, now=now):
                rejections.append(_rejection(envelope, found))
            else:
                marks.append((envelope.partition, envelope.event))
    if marks:
        await _pass_on(connection, marks, now)
    return rejections


def _rejection(envelope: Envelope, errors: Sequence[FieldError]) -> Rejection:
    sentences = (f"{error.field} {error.problem}: {error.fix}" for error in errors)
    return Rejection(envelope, "invalid", "; ".join(sentences))


async def _pass_on(
    connection: Connection, marks: Sequence[tuple[int, SourceWatermark]], now: datetime
) -> None:
    """One a partition of loan.changed: policy's partitions are read independently of each other."""
    latest: dict[tuple[str, str, int], tuple[int, SourceWatermark]] = {}
    for partition, mark in marks:
        there = latest.setdefault((mark.tenant, mark.source, partition), (partition, mark))
        if mark.as_of > there[1].as_of:
            latest[mark.tenant, mark.source, partition] = (partition, mark)
    in_order = [latest[key] for key in sorted(latest)]  # so that replicas lock rows in one order
    records = []
    for row in await store.record_watermarks(connection, in_order):
        event = FeedWatermark(
            tenant=row["tenant"],
            source=row["source"],
            as_of=row["as_of"],
            bound_seconds=row["bound_seconds"],
        )
        identity = ("feed", event.tenant, event.source, event.as_of.isoformat())
        records += [
            encode(
                event,
                source=SOURCE,
                key=f"{event.tenant}/{event.source}".encode(),
                event_id=derived_id(*identity, partition),
                time=now,
                partition=partition,
            )
            for partition in range(TOPICS[TOPIC_OF[FeedWatermark]].partitions)
        ]
    await outbox.put(connection, records)


async def on_reminder_deferred(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """Ask again at the instant policy named, with the next emission."""
    answers = [e.event for e in batch if isinstance(e.event, ReminderDeferred)]
    now = await _prepare(connection, answers)
    ended = await store_reminders.defer_reminders(
        connection, list({(a.tenant, a.reminder_id, a.emission): a for a in answers}.values()), now
    )
    count_settled("suppressed", ended.get("suppressed", 0))
    return ()


async def on_reminder_suppressed(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """The reminder ends, with policy's reason."""
    answers = [e.event for e in batch if isinstance(e.event, ReminderSuppressed)]
    now = await _prepare(connection, answers)
    ended = await store_reminders.suppress_reminders(
        connection, list({(a.tenant, a.reminder_id, a.emission): a for a in answers}.values()), now
    )
    count_settled("suppressed", ended)
    return ()


async def on_delivery_receipt(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """A receipt with an outcome settles its reminder; the others are the notifier's own affair."""
    receipts = [e.event for e in batch if isinstance(e.event, DeliveryReceipt) and e.event.outcome]
    await _prepare(connection, receipts)
    sent = {(r.tenant, r.reminder_id): r for r in receipts if r.outcome == Outcome.SENT}
    failed = {
        (r.tenant, r.reminder_id, r.emission): r for r in receipts if r.outcome == Outcome.FAILED
    }
    if sent:
        count = await store_reminders.settle_sent(connection, list(sent.values()))
        count_settled("sent", count)
    if failed:
        count = await store_reminders.settle_failed(connection, list(failed.values()))
        count_settled("failed", count)
    return ()


async def on_contact_point_changed(
    context: Context, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """A contact point's zones move the hours of a borrower for whom the lender gave none."""
    latest: dict[tuple[str, UUID, str], ContactPointChanged] = {}
    for event in (e.event for e in batch if isinstance(e.event, ContactPointChanged)):
        key = (event.tenant, event.borrower_id, event.contact_point_id)
        if key not in latest or latest[key].version < event.version:
            latest[key] = event
    await _lock(connection, list(latest.values()))
    changed = await store.record_contact_points(connection, latest.values())
    moved = await store.borrowers_without_zones(connection, changed)
    owed = await store.unpaid_installments_of_borrowers(connection, moved)
    await refresh(connection, owed, context.cadences, await clock.gate_now(connection))
    return ()


async def _prepare(
    connection: Connection,
    answers: Sequence[ReminderDeferred | ReminderSuppressed | DeliveryReceipt],
) -> datetime:
    """Before answers are taken: their locks, and that what they answer was asked.  Returns now."""
    await _lock(connection, answers)
    now = await clock.gate_now(connection)
    await store_reminders.catch_up(connection, answers, now)
    return now


async def _lock(
    connection: Connection,
    events: Sequence[ReminderDeferred | ReminderSuppressed | DeliveryReceipt | ContactPointChanged],
) -> None:
    """The borrowers' locks: whoever replans a reminder holds them too."""
    await store.lock_borrowers(connection, (BorrowerKey(e.tenant, e.borrower_id) for e in events))


HANDLERS = {
    "loan.events": on_loan_events,
    "reminder.deferred": on_reminder_deferred,
    "reminder.suppressed": on_reminder_suppressed,
    "delivery.receipt": on_delivery_receipt,
    "contact_point.changed": on_contact_point_changed,
}
