"""Does a fact contradict what is known?  Pure; of two contradicting facts the later is refused."""

from collections.abc import Sequence
from typing import TypeAlias
from uuid import UUID

from services.events.loans import (
    BorrowerRegistered,
    InstallmentScheduled,
    LoanClosed,
    LoanRegistered,
    RepaymentReceived,
    RepaymentReversed,
)
from services.runtime.web import FieldError
from services.scheduler.keys import LoanKey, PaymentKey

Fact: TypeAlias = (
    BorrowerRegistered
    | LoanRegistered
    | InstallmentScheduled
    | RepaymentReceived
    | RepaymentReversed
    | LoanClosed
)

KnownLoans: TypeAlias = dict[LoanKey, tuple[UUID, str | None]]
KnownPayments: TypeAlias = dict[PaymentKey, tuple[str, int, int | None]]


class Standing:
    """What is known of the loans and payments of a batch, growing with each group accepted."""

    def __init__(self, loans: KnownLoans, payments: KnownPayments) -> None:
        self._loans = loans
        self._payments = payments

    def accept(self, group: Sequence[tuple[UUID, Fact]]) -> Sequence[FieldError]:
        """The contradictions of a group of (borrower id, fact); none: it is known from now on."""
        loans, payments = dict[LoanKey, tuple[UUID, str | None]](), KnownPayments()
        found: list[FieldError] = []
        for borrower_id, fact in group:
            if isinstance(fact, BorrowerRegistered):
                continue
            loan = LoanKey(fact.tenant, fact.loan_id)
            known = loans.get(loan) or self._loans.get(loan)
            currency = None if isinstance(fact, RepaymentReversed | LoanClosed) else fact.currency
            found += _loan_conflicts(known, borrower_id, currency)
            loans[loan] = (borrower_id, (known and known[1]) or currency)
            if isinstance(fact, RepaymentReceived | RepaymentReversed):
                key = PaymentKey(fact.tenant, fact.payment_id)
                paid = payments.get(key) or self._payments.get(key)
                found += _payment_conflicts(paid, fact)
                payments[key] = _merged(paid, fact)
        if not found:
            self._loans.update(loans)
            self._payments.update(payments)
        return found


def _loan_conflicts(
    known: tuple[UUID, str | None] | None, borrower_id: UUID, currency: str | None
) -> list[FieldError]:
    if known is None:
        return []
    found = []
    if known[0] != borrower_id:
        fix = "send the borrower_ref under which the loan was registered"
        found.append(FieldError("borrower_ref", "is not the loan's borrower", fix))
    if currency and known[1] and currency != known[1]:
        fix = "a loan has one currency: its installments and payments are in it, and it stays"
        found.append(FieldError("currency", "differs from the loan's", fix))
    return found


def _payment_conflicts(
    paid: tuple[str, int, int | None] | None, fact: RepaymentReceived | RepaymentReversed
) -> list[FieldError]:
    if paid is None:
        return []
    fix = "give each payment an id of its own; the same id counts once"
    if (paid[0], paid[1]) != (fact.loan_id, fact.installment_number):
        return [FieldError("payment_id", "belongs to another installment's payment", fix)]
    if isinstance(fact, RepaymentReceived) and paid[2] not in (None, fact.amount_minor):
        return [FieldError("payment_id", "belongs to a payment of another amount", fix)]
    return []


def _merged(
    paid: tuple[str, int, int | None] | None, fact: RepaymentReceived | RepaymentReversed
) -> tuple[str, int, int | None]:
    amount = fact.amount_minor if isinstance(fact, RepaymentReceived) else paid and paid[2]
    return fact.loan_id, fact.installment_number, amount
