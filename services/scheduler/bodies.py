"""The bodies of the scheduler's doors, and the facts they stand for.  The tenant is the key's."""

from datetime import date
from typing import Annotated

import msgspec

from services.events.base import Count, Currency, Instant, MinorUnits, Text, Version
from services.events.loans import (
    BorrowerRegistered,
    CandidateZone,
    InstallmentScheduled,
    LoanClosed,
    LoanRegistered,
    RepaymentReceived,
    RepaymentReversed,
)
from services.events.words import Product, Role
from services.scheduler.checks import MAX_INSTALLMENTS_A_LOAN
from services.scheduler.conflicts import Fact

MAX_ROWS = 1_000
MAX_INSTALLMENTS = 5_000  # of one request: with ten reminders each that is some seconds' work


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A misspelled field is an error, not a silence."""


class BorrowerBody(Strict, frozen=True, kw_only=True):
    """`POST /v1/borrowers`, and `borrower` inside a loan of `/v1/loans:bulk`."""

    borrower_ref: Text
    version: Version
    country: Text
    subdivision: Text | None = None
    city: Text | None = None
    zones: tuple[CandidateZone, ...] = ()
    locale: Text = "en"
    household_ref: Text | None = None


class InstallmentBody(Strict, frozen=True, kw_only=True):
    """One of a loan's installments; without a version it has the loan's."""

    installment_number: Count
    due_date: date
    amount_minor: MinorUnits
    version: Version | None = None


class LoanBody(Strict, frozen=True, kw_only=True):
    """`POST /v1/loans`: a loan with its installments, and its borrower if it is not known yet."""

    loan_id: Text
    borrower_ref: Text
    version: Version
    product: Product
    currency: Currency
    role: Role = Role.CREDITOR
    account: Text | None = None
    creditor: Text | None = None
    time_barred: bool = False  # limitation has run: no court would enforce it
    in_procedures: bool = False  # charged off, accelerated, statements stopped or in legal action
    missed_meetings: Count = 0  # repayment meetings in succession that the borrower did not come to
    cadence: Text = "standard"
    source: Text = "http"
    installments: Annotated[
        tuple[InstallmentBody, ...], msgspec.Meta(max_length=MAX_INSTALLMENTS_A_LOAN)
    ] = ()
    borrower: BorrowerBody | None = None


class BulkBody(Strict, frozen=True, kw_only=True):
    """`POST /v1/loans:bulk`; each row is read by itself, so that one wrong row harms no other."""

    loans: Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(min_length=1, max_length=MAX_ROWS)]


class PaymentBody(Strict, frozen=True, kw_only=True):
    """`POST /v1/payments`."""

    payment_id: Text
    loan_id: Text
    borrower_ref: Text
    installment_number: Count
    amount_minor: MinorUnits
    currency: Currency
    received_at: Instant


class ReversalBody(Strict, frozen=True, kw_only=True):
    """`POST /v1/payments:reverse`."""

    payment_id: Text
    loan_id: Text
    borrower_ref: Text
    installment_number: Count
    reversed_at: Instant


class CloseBody(Strict, frozen=True, kw_only=True):
    """`POST /v1/loans/{loan_id}:close`."""

    borrower_ref: Text
    closed_at: Instant
    version: Version | None = None  # none: of whatever version the loan is known by now


def borrower(tenant: str, body: BorrowerBody) -> BorrowerRegistered:
    """A borrower's body as a fact."""
    return BorrowerRegistered(tenant=tenant, **msgspec.structs.asdict(body))


def loan(tenant: str, body: LoanBody) -> list[Fact]:
    """A loan's body as facts, recorded together or not at all."""
    facts: list[Fact] = [] if body.borrower is None else [borrower(tenant, body.borrower)]
    facts.append(
        LoanRegistered(
            tenant=tenant,
            loan_id=body.loan_id,
            borrower_ref=body.borrower_ref,
            version=body.version,
            product=body.product,
            currency=body.currency,
            role=body.role,
            account=body.account,
            creditor=body.creditor,
            time_barred=body.time_barred,
            in_procedures=body.in_procedures,
            missed_meetings=body.missed_meetings,
            cadence=body.cadence,
            source=body.source,
        )
    )
    facts += [
        InstallmentScheduled(
            tenant=tenant,
            loan_id=body.loan_id,
            borrower_ref=body.borrower_ref,
            installment_number=installment.installment_number,
            version=body.version if installment.version is None else installment.version,
            due_date=installment.due_date,
            amount_minor=installment.amount_minor,
            currency=body.currency,
        )
        for installment in body.installments
    ]
    return facts


def payment(tenant: str, body: PaymentBody) -> RepaymentReceived:
    """A payment's body as a fact."""
    return RepaymentReceived(tenant=tenant, **msgspec.structs.asdict(body))


def reversal(tenant: str, body: ReversalBody) -> RepaymentReversed:
    """A reversal's body as a fact."""
    return RepaymentReversed(tenant=tenant, **msgspec.structs.asdict(body))


def close(tenant: str, loan_id: str, version: int, body: CloseBody) -> LoanClosed:
    """A close's body as a fact."""
    return LoanClosed(
        tenant=tenant,
        loan_id=loan_id,
        borrower_ref=body.borrower_ref,
        version=version,
        closed_at=body.closed_at,
    )
