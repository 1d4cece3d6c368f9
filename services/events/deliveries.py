"""What the notifier tells: attempts, receipts, contact points without their addresses, replies."""

from uuid import UUID

from services.events.base import Count, Event, Instant, ReasonCode, Text, Version
from services.events.loans import CandidateZone
from services.events.words import (
    AttemptState,
    Channel,
    Outcome,
    Place,
    PointKind,
    ProvidedBy,
)


class DeliveryAttempted(Event, frozen=True, kw_only=True):
    """An attempt's row is committed as in flight; the request may leave now."""

    attempt_id: UUID
    reminder_id: UUID
    emission: Count
    borrower_id: UUID
    contact_point_id: Text
    channel: Channel
    provider: Text
    attempted_at: Instant


class DeliveryReceipt(Event, frozen=True, kw_only=True):
    """An attempt reached a state.  States only move upward; the same receipt may come twice."""

    attempt_id: UUID
    reminder_id: UUID
    emission: Count
    borrower_id: UUID
    contact_point_id: Text
    channel: Channel  # means nothing where the provider is `none`: no channel was tried
    provider: Text
    state: AttemptState
    at: Instant  # business time
    code: Text | None = None  # the provider's, normalised; never its text
    outcome: Outcome | None = None  # set when this settles the reminder: sent or failed
    reason: ReasonCode | None = None  # of a failed outcome


class ContactPointChanged(Event, frozen=True, kw_only=True):
    """What others may know of a contact point: a pseudonym, its kind, where it may be."""

    borrower_id: UUID
    contact_point_id: Text  # per-tenant HMAC of the normalised address: equal for all who share it
    version: Version
    kind: PointKind
    channels: tuple[Channel, ...]  # it can be reached on
    country: Text | None
    zones: tuple[CandidateZone, ...]
    usable: bool  # False: removed, hard bounce, unregistered token
    place: Place = "personal"  # what it is tied to
    provided_by: ProvidedBy = "unknown"  # from whom the lender has it


class BorrowerReplied(Event, frozen=True, kw_only=True):
    """Somebody wrote back from a contact point."""

    reply_id: UUID
    contact_point_id: Text
    borrower_ids: tuple[UUID, ...]  # all who have this contact point
    channel: Channel
    received_at: Instant
    meaning: Text  # stop | start | help | other; in doubt it is stop
