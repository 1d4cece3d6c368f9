"""What is asked about one reminder or contact, and the terms of the debt that it is about."""

from typing import Any
from uuid import UUID

import msgspec

from services.events.words import Stage
from services.policy.words import Purpose
from services.policy.words import Stage as DebtStage

STAGES: dict[Stage, DebtStage] = {
    Stage.UPCOMING: "upcoming",
    Stage.DUE: "due",
    Stage.OVERDUE: "overdue",
    Stage.FINAL: "overdue",  # our last step, not yet the lender's legal ones
}


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the lender says of a loan, as far as rules read it (facts v1, `debt`)."""

    product: str
    role: str
    account: str | None
    creditor: str | None
    time_barred: bool = False
    in_procedures: bool = False  # charged off, accelerated or in legal action
    missed_meetings: int = 0


# Of a debt that nobody told us of, the strictest: most rules bind collectors.
UNKNOWN = Terms(product="other", role="collector", account=None, creditor=None)


def terms_of(debt: Any) -> Terms:
    """A row of `debts`, or None."""
    if debt is None:
        return UNKNOWN
    return Terms(
        product=debt["product"],
        role=debt["role"],
        account=debt["account"],
        creditor=debt["creditor"],
        time_barred=debt["time_barred"],
        in_procedures=debt["in_procedures"],
        missed_meetings=debt["missed_meetings"],
    )


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked about one reminder; the same at both checkpoints."""

    tenant: str
    reminder_id: UUID
    emission: int
    borrower_id: UUID
    loan_id: str
    installment_number: int
    stage: Stage
    days_from_due: int
    days_past_due: int
    terms: Terms
    outstanding_minor: int

    @property
    def who(self) -> tuple[str, UUID]:
        return self.tenant, self.borrower_id

    @property
    def debt_stage(self) -> DebtStage:
        """How far the debt has come: the lender's own procedures are beyond our last step."""
        return "procedures" if self.terms.in_procedures else STAGES[self.stage]

    @property
    def purpose(self) -> Purpose:
        """A reminder until the due date, collection after it (facts v1)."""
        return "reminder" if self.days_from_due <= 0 else "collection"
