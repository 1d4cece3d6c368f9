"""The statements that plan, claim, settle and show reminders, a function each, on a connection."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from services.events.deliveries import DeliveryReceipt
from services.events.loans import CandidateZone
from services.events.reminders import ReminderDeferred, ReminderSuppressed
from services.events.words import Channel, Product, Role, Stage
from services.runtime import queries
from services.runtime.database import Connection
from services.runtime.queries import columns
from services.scheduler.keys import BorrowerKey, InstallmentKey, Row, installment_key
from services.scheduler.places import clock_zones
from services.scheduler.plan import Reminder
from services.scheduler.replan import CancelReason, Change, Known, Situation, Terms

SQL = queries.load(Path(__file__).with_name("queries_reminders.sql"))


async def situations(connection: Connection, keys: Iterable[InstallmentKey]) -> list[Situation]:
    """Each installment with all that bears on it; the borrowers must be locked."""
    rows = await connection.fetch(SQL["situations"], *columns(keys, 3))
    without = {
        BorrowerKey(row["tenant"], row["borrower_id"])
        for row in rows
        if row["borrower_version"] and not row["zones"]
    }
    of_points: dict[BorrowerKey, list[CandidateZone]] = {}
    for row in await connection.fetch(SQL["contact_zones"], *columns(without, 2)):
        key = BorrowerKey(row["tenant"], row["borrower_id"])
        of_points.setdefault(key, []).extend(_zones(row["zones"]))
    return [_situation(row, of_points) for row in rows]


def _zones(stored: object) -> tuple[CandidateZone, ...]:
    return msgspec.convert(stored, tuple[CandidateZone, ...])


def _situation(row: Row, of_points: Mapping[BorrowerKey, Sequence[CandidateZone]]) -> Situation:
    points = of_points.get(BorrowerKey(row["tenant"], row["borrower_id"]), ())
    return Situation(
        tenant=row["tenant"],
        loan_id=row["loan_id"],
        installment_number=row["installment_number"],
        borrower_id=row["borrower_id"],
        due_date=row["due_date"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        paid_minor=row["paid_minor"],
        revision=row["revision"],
        told=row["told"],
        outstanding_minor=row["outstanding_minor"],
        cycle=row["cycle"],
        armed_for=row["armed_for"],
        terms=None
        if row["product"] is None
        else Terms(
            product=Product(row["product"]),
            role=Role(row["role"]),
            account=row["account"],
            creditor=row["creditor"],
            time_barred=row["time_barred"],
            in_procedures=row["in_procedures"],
            missed_meetings=row["missed_meetings"],
            source=row["source"],
            cadence=row["cadence"],
            closed=row["closed"],
        ),
        zones=clock_zones(_zones(row["zones"]), tuple(points), row["country"])
        if row["borrower_version"]
        else None,
    )


async def lock_open_reminders(
    connection: Connection, keys: Iterable[InstallmentKey]
) -> dict[InstallmentKey, list[Known]]:
    """The open reminders of installments, held until the transaction ends."""
    found: dict[InstallmentKey, list[Known]] = {}
    for row in await connection.fetch(SQL["lock_open_reminders"], *columns(keys, 3)):
        found.setdefault(installment_key(row), []).append(
            Known(
                reminder_id=row["reminder_id"],
                emission=row["emission"],
                due_at=row["due_at"],
                valid_until=row["valid_until"],
                stage=Stage(row["stage"]),
                priority=row["priority"],
                channels=tuple(Channel(name) for name in row["channels"]),
            )
        )
    return found


async def forget_cadences(connection: Connection, names: Iterable[str]) -> None:
    """Plans were not made for want of these: whoever has them walks all their loans again."""
    await connection.execute(SQL["forget_cadences"], sorted(names))


async def save_installments(connection: Connection, changes: Sequence[Change]) -> None:
    """What was made of the installments."""
    await connection.execute(
        SQL["save_installments"],
        *columns(
            (
                (
                    c.situation.tenant,
                    c.situation.loan_id,
                    c.situation.installment_number,
                    c.outstanding_minor,
                    c.revision,
                    c.told,
                    c.cycle,
                    c.armed_for,
                )
                for c in changes
            ),
            8,
        ),
    )


async def add_reminders(
    connection: Connection, reminders: Sequence[tuple[Situation, Reminder]]
) -> None:
    """Newly planned reminders; an id that was used before stays as it is."""
    await connection.execute(
        SQL["add_reminders"],
        *columns(
            (
                (
                    s.tenant,
                    s.borrower_id,
                    s.loan_id,
                    s.installment_number,
                    r.reminder_id,
                    r.cycle,
                    r.step,
                    r.days_from_due,
                    r.stage,
                    r.due_date,
                    r.due_at,
                    r.valid_until,
                    r.zone,
                    r.priority,
                    ",".join(r.channels),
                )
                for s, r in reminders
            ),
            15,
        ),
    )


async def move_reminders(
    connection: Connection, reminders: Sequence[tuple[Situation, Reminder]]
) -> None:
    """Other hours, channels or tone for reminders that nobody has heard of yet."""
    await connection.execute(
        SQL["move_reminders"],
        *columns(
            (
                (
                    s.tenant,
                    r.reminder_id,
                    r.due_at,
                    r.valid_until,
                    r.zone,
                    r.stage,
                    r.priority,
                    ",".join(r.channels),
                )
                for s, r in reminders
            ),
            8,
        ),
    )


async def cancel_reminders(
    connection: Connection, gone: Sequence[tuple[str, UUID, CancelReason]], now: datetime
) -> list[Row]:
    """End open reminders; answers those that policy must be told of."""
    return list(await connection.fetch(SQL["cancel_reminders"], *columns(gone, 3), now))


async def claim_due(
    connection: Connection, now: datetime, cursor: datetime, limit: int
) -> list[Row]:
    """Take due reminders, earliest first, each with its debt; the stale ones are `suppressed`."""
    return list(await connection.fetch(SQL["claim_due"], now, cursor, limit))


async def catch_up(
    connection: Connection,
    answers: Sequence[ReminderDeferred | ReminderSuppressed | DeliveryReceipt],
    now: datetime,
) -> None:
    """Count what is answered as emitted, also where a restored database has forgotten it."""
    await connection.execute(
        SQL["catch_up"], *columns(((e.tenant, e.reminder_id, e.emission) for e in answers), 3), now
    )


async def defer_reminders(
    connection: Connection, answers: Sequence[ReminderDeferred], now: datetime
) -> dict[str, int]:
    """Back to planned at the instant given; how many ended in which status."""
    rows = await connection.fetch(
        SQL["defer_reminders"],
        *columns(((e.tenant, e.reminder_id, e.emission, e.until, e.code) for e in answers), 5),
        now,
    )
    return {row["status"]: row["count"] for row in rows}


async def suppress_reminders(
    connection: Connection, answers: Sequence[ReminderSuppressed], now: datetime
) -> int:
    """End reminders for good; how many did."""
    count: int = await connection.fetchval(
        SQL["suppress_reminders"],
        *columns(((e.tenant, e.reminder_id, e.emission, e.code) for e in answers), 4),
        now,
    )
    return count


async def settle_sent(connection: Connection, receipts: Sequence[DeliveryReceipt]) -> int:
    """Reminders that a provider took; how many were not known as sent."""
    count: int = await connection.fetchval(
        SQL["settle_sent"], *columns(((e.tenant, e.reminder_id, e.at) for e in receipts), 3)
    )
    return count


async def settle_failed(connection: Connection, receipts: Sequence[DeliveryReceipt]) -> int:
    """Reminders that could not be delivered; how many were open."""
    count: int = await connection.fetchval(
        SQL["settle_failed"],
        *columns(
            (
                (e.tenant, e.reminder_id, e.emission, e.reason or "undeliverable", e.at)
                for e in receipts
            ),
            5,
        ),
    )
    return count


async def cancelled_of_installments(
    connection: Connection, keys: Iterable[InstallmentKey]
) -> list[Row]:
    """Every cancelled reminder of the installments that policy had heard of."""
    return list(await connection.fetch(SQL["cancelled_of_installments"], *columns(keys, 3)))


async def reminder(connection: Connection, tenant: str, reminder_id: UUID) -> dict[str, Any] | None:
    """One reminder as it stands, with its history."""
    row = await connection.fetchrow(SQL["reminder"], tenant, reminder_id)
    if row is None:
        return None
    history = await connection.fetch(SQL["history"], tenant, reminder_id)
    return {**row, "history": [dict(step) for step in history]}


async def reminders_of_loan(
    connection: Connection, tenant: str, loan_id: str, limit: int
) -> list[dict[str, Any]]:
    """A loan's reminders in order of time, at most `limit`."""
    rows = await connection.fetch(SQL["reminders_of_loan"], tenant, loan_id, limit)
    return [dict(row) for row in rows]


async def ledger(connection: Connection, tenant: str) -> tuple[list[Row], int]:
    """Reminders by (status, reason, emitted), and apart from them how many were ever emitted."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = list(await connection.fetch(SQL["ledger"], tenant))
        emitted: int = await connection.fetchval(SQL["emitted"], tenant)
    return rows, emitted
