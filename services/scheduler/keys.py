"""What names a row: ids within their tenant."""

from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

Row: TypeAlias = asyncpg.Record


class BorrowerKey(NamedTuple):
    """A borrower within its tenant."""

    tenant: str
    borrower_id: UUID


class LoanKey(NamedTuple):
    """A loan within its tenant."""

    tenant: str
    loan_id: str


class InstallmentKey(NamedTuple):
    """An installment within its tenant."""

    tenant: str
    loan_id: str
    number: int


class PaymentKey(NamedTuple):
    """A payment within its tenant."""

    tenant: str
    payment_id: str


def installment_key(row: Row) -> InstallmentKey:
    """The key in a row that has one."""
    return InstallmentKey(row["tenant"], row["loan_id"], row["installment_number"])
