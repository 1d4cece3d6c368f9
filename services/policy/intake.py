"""Facts arrive: borrowers, debts, watermarks, contact points, cancellations, replies.

Each is idempotent by version or id.  The caller holds the locks of the subjects concerned, all
taken at once, so a redeem sees either all of a change or none.
"""

from collections.abc import Iterable, Sequence

from services.events.codec import derived_id
from services.events.deliveries import BorrowerReplied, ContactPointChanged
from services.events.loans import BorrowerChanged, CandidateZone, DebtChanged, FeedWatermark
from services.events.reminders import ReminderCancelled
from services.policy import known
from services.runtime.database import Connection

SQL = known.SQL


async def borrowers(connection: Connection, changed: Sequence[BorrowerChanged]) -> None:
    """The highest version of each borrower wins."""
    latest = {(b.tenant, b.borrower_id): b for b in sorted(changed, key=lambda b: b.version)}
    rows = list(latest.values())
    if not rows:
        return
    await connection.execute(
        SQL["known_borrower"],
        [b.tenant for b in rows],
        [b.borrower_id for b in rows],
        [b.version for b in rows],
        [b.country for b in rows],
        [b.subdivision for b in rows],
        [b.city for b in rows],
        [_zones(b.zones) for b in rows],
        [_bases(b.zones) for b in rows],
        [b.household_id for b in rows],
    )


async def debts(connection: Connection, changed: Sequence[DebtChanged]) -> None:
    """The highest version of each installment wins."""
    latest = {
        (d.tenant, d.loan_id, d.installment_number): d
        for d in sorted(changed, key=lambda d: d.version)
    }
    rows = list(latest.values())
    if rows:
        await connection.execute(
            SQL["known_debt"],
            [d.tenant for d in rows],
            [d.loan_id for d in rows],
            [d.installment_number for d in rows],
            [d.borrower_id for d in rows],
            [d.version for d in rows],
            [d.outstanding_minor for d in rows],
            [d.currency for d in rows],
            [d.product.value for d in rows],
            [d.role.value for d in rows],
            [d.due_date for d in rows],
            [d.account for d in rows],
            [d.creditor for d in rows],
            [d.source for d in rows],
            [d.time_barred for d in rows],
            [d.in_procedures for d in rows],
            [d.missed_meetings for d in rows],
        )


async def watermarks(connection: Connection, marks: Iterable[tuple[int, FeedWatermark]]) -> None:
    """Per source and partition the latest; `marks` come with the partition they came by."""
    latest = {
        (mark.tenant, mark.source, partition): mark
        for partition, mark in sorted(marks, key=lambda m: m[1].as_of)
    }
    if latest:
        await connection.execute(
            SQL["known_feed"],
            [tenant for tenant, _, _ in latest],
            [source for _, source, _ in latest],
            [partition for _, _, partition in latest],
            [mark.as_of for mark in latest.values()],
            [mark.bound_seconds for mark in latest.values()],
        )


async def contact_points(connection: Connection, changed: Sequence[ContactPointChanged]) -> None:
    """The highest version of each borrower's contact point wins."""
    latest = {
        (p.tenant, p.borrower_id, p.contact_point_id): p
        for p in sorted(changed, key=lambda p: p.version)
    }
    rows = list(latest.values())
    if not rows:
        return
    await connection.execute(
        SQL["known_point"],
        [p.tenant for p in rows],
        [p.borrower_id for p in rows],
        [p.contact_point_id for p in rows],
        [p.version for p in rows],
        [p.kind.value for p in rows],
        [",".join(p.channels) for p in rows],
        [p.country for p in rows],
        [_zones(p.zones) for p in rows],
        [_bases(p.zones) for p in rows],
        [p.usable for p in rows],
        [p.place for p in rows],
        [p.provided_by for p in rows],
    )


async def bury(connection: Connection, cancelled: Sequence[ReminderCancelled]) -> None:
    """Tombstones: a due that comes later, or is at hand-off now, finds that it is cancelled."""
    if cancelled:
        await connection.execute(
            SQL["bury"],
            [c.tenant for c in cancelled],
            [c.reminder_id for c in cancelled],
            [c.version for c in cancelled],
            [c.reason for c in cancelled],
            [c.cancelled_at for c in cancelled],
        )


async def replies(connection: Connection, replied: Sequence[BorrowerReplied]) -> None:
    """An inbound entry for each borrower who has the contact point; what it means for stops comes
    by the stops' own door."""
    rows = [(reply, borrower) for reply in replied for borrower in reply.borrower_ids]
    if rows:
        await connection.execute(
            known.LEDGER_SQL["reply"],
            [reply.tenant for reply, _ in rows],
            [derived_id("reply", reply.reply_id, borrower) for reply, borrower in rows],
            [borrower for _, borrower in rows],
            [reply.contact_point_id for reply, _ in rows],
            [reply.channel.value for reply, _ in rows],
            [reply.received_at for reply, _ in rows],
        )


def _zones(zones: Sequence[CandidateZone]) -> str:
    # Neither an IANA name nor a basis has a comma; arrays of arrays can't be ragged in SQL.
    return ",".join(zone.zone.replace(",", "") for zone in zones)


def _bases(zones: Sequence[CandidateZone]) -> str:
    return ",".join(zone.basis.value for zone in zones)
