"""The statements that record facts and say what they bear on, a function each, on a connection."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from uuid import UUID

import msgspec

from services.events.deliveries import ContactPointChanged
from services.events.loans import (
    BorrowerRegistered,
    InstallmentScheduled,
    LoanClosed,
    LoanRegistered,
    RepaymentReceived,
    RepaymentReversed,
    SourceWatermark,
)
from services.runtime import queries
from services.runtime.database import Connection
from services.runtime.queries import columns
from services.scheduler.checks import language_tag
from services.scheduler.keys import (
    BorrowerKey,
    InstallmentKey,
    LoanKey,
    PaymentKey,
    Row,
    installment_key,
)

SQL = queries.load(Path(__file__).with_name("queries.sql"))


async def lock_borrowers(connection: Connection, keys: Iterable[BorrowerKey]) -> None:
    """Lock every borrower named, making rows for those nobody has registered yet."""
    named = columns(sorted(set(keys)), 2)
    if named[0]:
        await connection.execute(SQL["add_borrowers"], *named)
        await connection.execute(SQL["lock_borrowers"], *named)


async def known_loans(
    connection: Connection, keys: Iterable[LoanKey]
) -> dict[LoanKey, tuple[UUID, str | None]]:
    """Whose each loan is and in which currency, as far as any fact has said."""
    rows = await connection.fetch(SQL["known_loans"], *columns(set(keys), 2))
    return {
        LoanKey(row["tenant"], row["loan_id"]): (row["borrower_id"], row["currency"])
        for row in rows
    }


async def known_payments(
    connection: Connection, keys: Iterable[PaymentKey]
) -> dict[PaymentKey, tuple[str, int, int | None]]:
    """For each payment id seen before: loan, installment number, amount (None: only reversed)."""
    rows = await connection.fetch(SQL["known_payments"], *columns(set(keys), 2))
    return {
        PaymentKey(row["tenant"], row["payment_id"]): (
            row["loan_id"],
            row["installment_number"],
            row["amount_minor"],
        )
        for row in rows
    }


async def record_borrowers(
    connection: Connection, facts: Iterable[tuple[UUID, UUID | None, BorrowerRegistered]]
) -> set[BorrowerKey]:
    """(borrower, household, fact) in their highest version; answers those that changed."""
    rows = await connection.fetch(
        SQL["record_borrowers"],
        *columns(
            (
                (
                    e.tenant,
                    borrower_id,
                    e.version,
                    e.country,
                    e.subdivision,
                    e.city,
                    _json(e.zones),
                    language_tag(e.locale),
                    household_id,
                )
                for borrower_id, household_id, e in facts
            ),
            9,
        ),
    )
    return {BorrowerKey(row["tenant"], row["borrower_id"]) for row in rows}


async def record_loans(
    connection: Connection, facts: Iterable[tuple[UUID, LoanRegistered]]
) -> set[LoanKey]:
    """Loans in their highest version; answers those that changed."""
    rows = await connection.fetch(
        SQL["record_loans"],
        *columns(
            (
                (
                    e.tenant,
                    e.loan_id,
                    borrower_id,
                    e.version,
                    e.product,
                    e.currency,
                    e.role,
                    e.account,
                    e.creditor,
                    e.cadence,
                    e.source,
                    e.time_barred,
                    e.in_procedures,
                    e.missed_meetings,
                )
                for borrower_id, e in facts
            ),
            14,
        ),
    )
    return {LoanKey(row["tenant"], row["loan_id"]) for row in rows}


async def record_closures(
    connection: Connection, facts: Iterable[tuple[UUID, LoanClosed]]
) -> set[LoanKey]:
    """Closed loans in their highest version; answers those that changed."""
    rows = await connection.fetch(
        SQL["record_closures"],
        *columns(
            (
                (e.tenant, e.loan_id, borrower_id, e.version, e.closed_at)
                for borrower_id, e in facts
            ),
            5,
        ),
    )
    return {LoanKey(row["tenant"], row["loan_id"]) for row in rows}


async def record_installments(
    connection: Connection, facts: Iterable[tuple[UUID, InstallmentScheduled]]
) -> set[InstallmentKey]:
    """Installments in their highest version; answers those that changed."""
    rows = await connection.fetch(
        SQL["record_installments"],
        *columns(
            (
                (
                    e.tenant,
                    e.loan_id,
                    e.installment_number,
                    borrower_id,
                    e.version,
                    e.due_date,
                    e.amount_minor,
                    e.currency,
                )
                for borrower_id, e in facts
            ),
            8,
        ),
    )
    return {installment_key(row) for row in rows}


async def record_payments(
    connection: Connection, facts: Iterable[tuple[UUID, RepaymentReceived]]
) -> dict[PaymentKey, InstallmentKey]:
    """Payments, each id once; answers the new ones and what they pay."""
    rows = await connection.fetch(
        SQL["record_payments"],
        *columns(
            (
                (
                    e.tenant,
                    e.payment_id,
                    e.loan_id,
                    e.installment_number,
                    borrower_id,
                    e.amount_minor,
                    e.currency,
                    e.received_at,
                )
                for borrower_id, e in facts
            ),
            8,
        ),
    )
    return {PaymentKey(row["tenant"], row["payment_id"]): installment_key(row) for row in rows}


async def record_reversals(
    connection: Connection, facts: Iterable[tuple[UUID, RepaymentReversed]]
) -> dict[PaymentKey, InstallmentKey]:
    """Reversals, each payment's once; answers the new ones and what is owed again."""
    rows = await connection.fetch(
        SQL["record_reversals"],
        *columns(
            (
                (
                    e.tenant,
                    e.payment_id,
                    e.loan_id,
                    e.installment_number,
                    borrower_id,
                    e.reversed_at,
                )
                for borrower_id, e in facts
            ),
            6,
        ),
    )
    return {PaymentKey(row["tenant"], row["payment_id"]): installment_key(row) for row in rows}


async def record_contact_points(
    connection: Connection, facts: Iterable[ContactPointChanged]
) -> set[BorrowerKey]:
    """Where contact points may be, in their highest version; answers whose changed."""
    rows = await connection.fetch(
        SQL["record_contact_points"],
        *columns(
            (
                (
                    e.tenant,
                    e.borrower_id,
                    e.contact_point_id,
                    e.version,
                    e.usable,
                    _json(e.zones),
                )
                for e in facts
            ),
            6,
        ),
    )
    return {BorrowerKey(row["tenant"], row["borrower_id"]) for row in rows}


async def record_watermarks(
    connection: Connection, facts: Sequence[tuple[int, SourceWatermark]]
) -> list[Row]:
    """(partition, fact), one a source and partition; answers the sources that moved on."""
    named = columns(((e.tenant, e.source) for _, e in facts), 2)
    await connection.execute(SQL["one_watermark_at_a_time"], *named)
    await connection.execute(
        SQL["record_watermarks"],
        *columns(
            ((e.tenant, e.source, partition, e.as_of, e.bound_seconds) for partition, e in facts),
            5,
        ),
    )
    return list(await connection.fetch(SQL["advance_feeds"], *named))


async def installments_of_loans(
    connection: Connection, keys: Iterable[LoanKey]
) -> set[InstallmentKey]:
    """Every installment of the loans."""
    rows = await connection.fetch(SQL["installments_of_loans"], *columns(keys, 2))
    return {installment_key(row) for row in rows}


async def loan_versions(connection: Connection, keys: Iterable[LoanKey]) -> dict[LoanKey, int]:
    """The versions that loans are known by; those that aren't are left out."""
    rows = await connection.fetch(SQL["loan_versions"], *columns(set(keys), 2))
    return {LoanKey(row["tenant"], row["loan_id"]): row["version"] for row in rows}


async def unpaid_installments_of_borrowers(
    connection: Connection, keys: Iterable[BorrowerKey]
) -> set[InstallmentKey]:
    """What the borrowers still owe."""
    rows = await connection.fetch(SQL["unpaid_installments_of_borrowers"], *columns(keys, 2))
    return {installment_key(row) for row in rows}


async def borrowers_without_zones(
    connection: Connection, keys: Iterable[BorrowerKey]
) -> set[BorrowerKey]:
    """Those for whom the lender gave no zone, so that their contact points' count."""
    rows = await connection.fetch(SQL["borrowers_without_zones"], *columns(keys, 2))
    return {BorrowerKey(row["tenant"], row["borrower_id"]) for row in rows}


def _json(value: object) -> str:
    """As text: asyncpg takes a list of lists for an array of two dimensions."""
    return msgspec.json.encode(value).decode()
