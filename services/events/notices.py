"""Formal notices and duties, as whoever sends the notices and owns the duties tells of them."""

from datetime import date
from uuid import UUID

from services.events.base import Event, Instant, Text, Texts


class NoticeSent(Event, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A formal notice was sent (rules.md 5.10); told once more, it has come back.

    It permits, so it is understood whole or not at all.
    """

    notice_id: UUID
    borrower_ref: Text | None = None  # the lender's id; or
    borrower_id: UUID | None = None  # the surrogate
    kind: Text  # cases/README.md, notices
    sent_at: Instant
    returned_at: Instant | None = None
    period_ends: date | None = None  # the last day of the period that it opens
    loan_ids: Texts = ()  # scope; empty: everything
    source: Text = "lender"


class DutyArisen(Event, frozen=True, kw_only=True):
    """A duty towards the borrower has arisen (rules.md 5.11); told once more, it is done."""

    duty_id: UUID
    borrower_ref: Text | None = None
    borrower_id: UUID | None = None
    kind: Text  # cases/README.md, duties
    since: Instant | None = None  # or
    since_date: date | None = None  # where only the day is known
    done_at: Instant | None = None
    loan_ids: Texts = ()
    source: Text = "lender"
