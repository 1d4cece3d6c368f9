"""Stops, consents and preferences as facts: recorded, scoped, lifted."""

from datetime import date
from uuid import UUID

from services.events.base import Event, Instant, Text, Texts


class StopRecorded(Event, frozen=True, kw_only=True):
    """A reason not to contact is on record and binds from `received_at` (rules.md 6.5)."""

    stop_id: UUID
    borrower_ref: Text | None = None  # the lender's id; or
    borrower_id: UUID | None = None  # the surrogate; or neither: the contact points' owners
    kind: Text  # cases/README.md, stop kinds
    received_at: Instant
    form: Text | None = None  # written | electronic | oral
    from_date: date | None = None
    until_date: date | None = None
    loan_ids: Texts = ()  # scope; empty: everything
    channels: Texts = ()
    contact_point_ids: Texts = ()
    purposes: Texts = ()
    places: Texts = ()  # home | work | personal
    persons: Texts = ()  # as history names them; empty: everybody
    basis_ended: date | None = None  # when what it rests on ended: the treatment, the hospital stay
    source: Text = "lender"
    evidence: Text | None = None  # a reference to the lender's file, never its text
    may_lift: Texts = ()  # on whose word it ends; empty: as the kind says


class StopLifted(Event, frozen=True, kw_only=True):
    """A stop has ended."""

    stop_id: UUID
    ended_at: Instant
    lifted_by: Text  # who did it
    on_word_of: Text = "lender"  # borrower | officer | lender
    evidence: Text | None = None  # where the word is on file


class ConsentGiven(Event, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A consent is on record (rules.md 6.6).

    It permits, so it is understood whole or not at all: a scope that we can't read would be none.
    """

    consent_id: UUID
    borrower_ref: Text | None = None
    borrower_id: UUID | None = None
    to: Text  # channel | automated | contact_time | frequency | place
    given_to: Text  # actor | creditor | prior_collector
    received_at: Instant
    form: Text | None = None
    until_date: date | None = None
    loan_ids: Texts = ()
    channels: Texts = ()
    contact_point_ids: Texts = ()
    from_clock: Text | None = None  # "21:00": only in these hours; with to_clock
    to_clock: Text | None = None
    days: Text = "daily"
    source: Text = "lender"


class ConsentRevoked(Event, frozen=True, kw_only=True):
    """A consent was withdrawn."""

    consent_id: UUID
    revoked_at: Instant


class PreferenceStated(Event, frozen=True, kw_only=True):
    """The borrower narrowed the hours in which they may be reached."""

    preference_id: UUID
    borrower_ref: Text | None = None
    borrower_id: UUID | None = None
    kind: Text  # not_between | only_between
    from_clock: Text  # "18:00"
    to_clock: Text
    days: Text = "daily"
    zone: Text | None = None
    received_at: Instant | None = None
    withdrawn_at: Instant | None = None
