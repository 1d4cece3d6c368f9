"""Facts as a lender would send them, and what the scheduler made of them."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec

from services.events.base import Event
from services.events.codec import Envelope
from services.events.loans import (
    BorrowerRegistered,
    CandidateZone,
    InstallmentScheduled,
    LoanClosed,
    LoanRegistered,
    RepaymentReceived,
    RepaymentReversed,
)
from services.events.topics import TOPIC_OF, TYPES, wire_type
from services.events.words import Basis, Product
from services.runtime.clock import install_stepped, step_to
from services.runtime.database import Pool, transaction
from services.runtime.stream import unpack_headers
from services.scheduler import intake
from services.scheduler.conflicts import Fact
from services.scheduler.emit import emit_due
from services.scheduler.handlers import HANDLERS
from services.scheduler.intake import Context, Outcome
from tests.database import Database

TENANT = "acme"
DUE_DATE = date(2026, 6, 15)
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NEW_YORK = (CandidateZone(zone="America/New_York", basis=Basis.CONFIRMED),)


# What all facts of the one loan say, and those of its one payment.
_LOAN: dict[str, Any] = {"tenant": TENANT, "borrower_ref": "B-1", "loan_id": "L-1"}
_PAYMENT: dict[str, Any] = {**_LOAN, "installment_number": 1, "payment_id": "P-1"}


def borrower(**changes: Any) -> BorrowerRegistered:
    """Somebody in New York."""
    fields = {"tenant": TENANT, "borrower_ref": "B-1", "version": 1, "country": "US"}
    return BorrowerRegistered(**({**fields, "zones": NEW_YORK} | changes))


def loan(**changes: Any) -> LoanRegistered:
    """Their loan."""
    fields = {**_LOAN, "version": 1, "product": Product.PERSONAL_LOAN, "currency": "USD"}
    return LoanRegistered(**(fields | changes))


def installment(**changes: Any) -> InstallmentScheduled:
    """Its one installment, of USD 100.00, due on 15 June 2026."""
    fields = {**_LOAN, "installment_number": 1, "version": 1, "due_date": DUE_DATE}
    owed = {"amount_minor": 10_000, "currency": "USD"}
    return InstallmentScheduled(**(fields | owed | changes))


def payment(**changes: Any) -> RepaymentReceived:
    """It is paid."""
    paid = {"amount_minor": 10_000, "currency": "USD", "received_at": NOW}
    return RepaymentReceived(**(_PAYMENT | paid | changes))


def reversal(**changes: Any) -> RepaymentReversed:
    """The payment bounced."""
    return RepaymentReversed(**({**_PAYMENT, "reversed_at": NOW} | changes))


def closed(**changes: Any) -> LoanClosed:
    """Nothing more is owed."""
    return LoanClosed(**({**_LOAN, "version": 2, "closed_at": NOW} | changes))


def envelope(event: Event, *, partition: int = 0, offset: int = 0) -> Envelope:
    """An event as the consumer hands it over."""
    return Envelope(
        event=event,
        event_id=str(uuid4()),
        source="/test",
        topic=TOPIC_OF[type(event)],
        partition=partition,
        offset=offset,
    )


async def record(context: Context, db: Pool, *facts: Fact, now: datetime = NOW) -> list[Outcome]:
    """Each fact as a group of its own, in one batch."""
    async with transaction(db) as connection:
        return await intake.record(context, connection, [[fact] for fact in facts], now)


async def handle(context: Context, db: Pool, *events: Event) -> Sequence[Any]:
    """Hand events of one topic to its handler; answers the rejections."""
    [topic] = {TOPIC_OF[type(event)] for event in events}
    batch = [envelope(event, offset=i) for i, event in enumerate(events)]
    async with transaction(db) as connection:
        return await HANDLERS[topic](context, connection, batch)


async def emit(db: Pool) -> int:
    """Claim what is due now; how many."""
    async with transaction(db) as connection:
        claimed, _ = await emit_due(connection)
    return claimed


async def stand_at(database: Database, instant: datetime) -> None:
    """Business time stands at `instant` from now on."""
    owner = await asyncpg.connect(database.admin_dsn)
    try:
        if await owner.fetchval("SELECT policy.clock_is_stepped()"):
            await step_to(owner, instant)
        else:
            await install_stepped(owner, instant)
    finally:
        await owner.close()


async def published(db: Pool, kind: type[Event] | None = None) -> list[Any]:
    """The events in the outbox, in order, emptied afterwards."""
    rows = await db.fetch("DELETE FROM outbox RETURNING id, headers, value")
    events = []
    for row in sorted(rows, key=lambda row: row["id"]):
        name = dict(unpack_headers(row["headers"]))["ce_type"].decode()
        events.append(msgspec.json.decode(row["value"], type=TYPES[name]))
    return [event for event in events if kind is None or wire_type(type(event)) == wire_type(kind)]


async def reminders(db: Pool, **where: Any) -> list[asyncpg.Record]:
    """The reminders' rows in order of time."""
    rows = await db.fetch("SELECT * FROM reminders ORDER BY due_at, cycle")
    return [row for row in rows if all(row[name] == value for name, value in where.items())]


async def status_of(db: Pool, reminder_id: UUID) -> tuple[str, str | None, int]:
    """Status, reason, emission."""
    row = await db.fetchrow("SELECT * FROM reminders WHERE reminder_id = $1", reminder_id)
    assert row is not None
    return row["status"], row["reason"], row["emission"]


def days(number: int) -> timedelta:
    """So many times 24 hours."""
    return timedelta(days=number)
