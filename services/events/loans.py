"""What a lender's system tells us of borrowers, loans, installments and payments."""

from datetime import date
from uuid import UUID

import msgspec

from services.events.base import Count, Currency, Event, Instant, MinorUnits, Text, Version
from services.events.words import Basis, Product, Role


class CandidateZone(msgspec.Struct, frozen=True, kw_only=True):
    """A zone the borrower may be in, and how we know."""

    zone: Text  # IANA name
    basis: Basis


class BorrowerRegistered(Event, frozen=True, kw_only=True):
    """A borrower is known, or what is known of them has changed."""

    borrower_ref: Text  # the lender's own id: turned into a surrogate at the door, never stored
    version: Version  # the lender's; the highest wins
    country: Text  # ISO 3166-1 alpha-2
    subdivision: Text | None = None  # ISO 3166-2 without the country, "MA"
    city: Text | None = None  # only where a city has rules of its own
    zones: tuple[CandidateZone, ...] = ()  # none: taken from the place and the contact points
    locale: Text = "en"
    household_ref: Text | None = None  # borrowers of one household share it


class LoanRegistered(Event, frozen=True, kw_only=True):
    """A loan exists, or its terms have changed."""

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
    source: Text = "events"  # which feed; see SourceWatermark


class InstallmentScheduled(Event, frozen=True, kw_only=True):
    """One repayment is to fall due, or its date or amount has changed."""

    loan_id: Text
    borrower_ref: Text
    installment_number: Count
    version: Version
    due_date: date
    amount_minor: MinorUnits
    currency: Currency


class RepaymentReceived(Event, frozen=True, kw_only=True):
    """Money came in for an installment."""

    payment_id: Text  # the lender's; the same id counts once
    loan_id: Text
    borrower_ref: Text
    installment_number: Count
    amount_minor: MinorUnits
    currency: Currency
    received_at: Instant


class RepaymentReversed(Event, frozen=True, kw_only=True):
    """A payment bounced or was booked wrongly: its reminders are armed again, in a new cycle."""

    payment_id: Text
    loan_id: Text
    borrower_ref: Text
    installment_number: Count
    reversed_at: Instant


class LoanClosed(Event, frozen=True, kw_only=True):
    """Nothing more is owed on the loan."""

    loan_id: Text
    borrower_ref: Text
    version: Version
    closed_at: Instant


class SourceWatermark(Event, frozen=True, kw_only=True):
    """Everything a source knew up to an instant has been published on this partition."""

    source: Text
    as_of: Instant
    bound_seconds: Count = 60  # older than this at hand-off: the contact waits


class BorrowerChanged(Event, frozen=True, kw_only=True):
    """What policy may know of a borrower: no name, no address, the surrogate id only."""

    borrower_id: UUID
    version: Version
    country: Text
    subdivision: Text | None = None
    city: Text | None = None
    zones: tuple[CandidateZone, ...] = ()
    household_id: UUID | None = None


class DebtChanged(Event, frozen=True, kw_only=True):
    """What is owed on one installment now; versioned per installment under its row lock."""

    borrower_id: UUID
    loan_id: Text
    installment_number: Count
    version: Version
    outstanding_minor: MinorUnits  # 0: paid, nothing may be sent
    currency: Currency
    product: Product
    role: Role
    due_date: date
    account: Text | None = None
    creditor: Text | None = None
    time_barred: bool = False
    in_procedures: bool = False
    missed_meetings: Count = 0
    source: Text | None = None  # the loan's; by its watermark we know how fresh this is


class FeedWatermark(Event, frozen=True, kw_only=True):
    """The scheduler's copy of a source's watermark, one in every partition."""

    source: Text
    as_of: Instant
    bound_seconds: Count
