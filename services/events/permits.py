"""The redeem door's request and answer: the second checkpoint, asked at the moment of hand-off."""

from enum import StrEnum
from uuid import UUID

import msgspec

from services.events.base import Count, Currency, Instant, MinorUnits, ReasonCode, Tenant, Text
from services.events.words import Channel, Stage

MAX_REDEEMS = 500


class Verdict(StrEnum):
    """What policy says of one attempt."""

    ALLOW = "allow"
    DEFER = "defer"
    SUPPRESS = "suppress"


class ContentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the rendered message contains, by names of the closed lists of facts v1; never text."""

    elements: tuple[Text, ...] = ()
    labels: tuple[Text, ...] = ()
    opt_out: Text | None = None
    states_debt: bool | None = None


class Redeem(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that is ready to leave: rate token and connection in hand."""

    tenant: Tenant
    attempt_id: UUID
    reminder_id: UUID
    emission: Count
    borrower_id: UUID
    loan_id: Text
    installment_number: Count
    stage: Stage
    channel: Channel
    contact_point_id: Text
    outstanding_minor: MinorUnits  # the amount the message states
    currency: Currency
    valid_until: Instant
    content: ContentFacts | None = None
    releases: tuple[UUID, ...] = ()  # finished attempts of this reminder, freed before counting
    epoch: Count | None = None  # of the attempt: what comes behind a later one is fenced


class RedeemRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A batch; answered in the same order."""

    redeems: tuple[Redeem, ...]


class Redeemed(msgspec.Struct, frozen=True, kw_only=True):
    """The answer for one attempt.  A refusal is already in policy's outbox."""

    attempt_id: UUID
    verdict: Verdict
    permit_id: UUID | None = None  # with allow
    send_by: Instant | None = None  # with allow: real time; no first byte after it
    allowed_until: Instant | None = None  # with allow: business time; bounds the provider's expiry
    gate_now: Instant | None = None  # with allow: business time of this answer
    until: Instant | None = None  # with defer
    code: ReasonCode | None = None  # with defer and suppress
    rule: Text | None = None


class RedeemAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """In the order of the request."""

    results: tuple[Redeemed, ...]
