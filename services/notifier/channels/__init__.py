"""What a channel is: one message out, one of a closed set of answers back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

import msgspec

from services.events.words import Channel as ChannelName


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Rendered, addressed, and bounded in time; never logged."""

    attempt_id: UUID
    reminder_id: UUID
    to: str
    body: str
    subject: str | None = None  # an e-mail's subject, a push notification's title
    valid_seconds: int  # the provider must have delivered it by then, or drop it
    unsubscribe_url: str | None = None

    def __repr__(self) -> str:
        return f"Message(attempt_id={self.attempt_id})"


class Deadline(NamedTuple):
    """Two instants on the event loop's clock, which a stepped wall clock can't move."""

    write_by: float  # no first byte after it
    end_by: float  # the answer has come, or the outcome is unknown


class Accepted(NamedTuple):
    """The provider's unambiguous yes."""

    provider_ref: str


class Rejected(NamedTuple):
    """A documented no: nothing was sent."""

    code: str
    retryable: bool = False  # a no that passes: try the same contact point again
    suppress_point: bool = False  # the contact point doesn't exist
    opted_out: bool = False  # the person said stop to the provider, which holds it
    stop_provider: bool = False  # our account, not this message: everything would be refused


class NotSent(NamedTuple):
    """No byte of the message has left: refused, unresolved, no TLS, too late."""

    why: str


# Of these the provider is innocent.
OUR_REASONS = frozenset({"too_late", "permit_expires", "commit_in_doubt"})


class Unknown(NamedTuple):
    """Anything else.  It is treated as sent and never repeated."""

    why: str


Answer = Accepted | Rejected | NotSent
Outcome = Answer | Unknown


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the state machine may rely on; reliability.md 1.3."""

    idempotency: None  # none of today's providers keeps a key
    look_up: Literal["best_effort"] | None  # finding is proof, not finding is none
    expiry: str | None  # the provider's field for it
    collapse: str | None  # the field that makes a device show a reminder once


class Channel(Protocol):
    """One provider.  Whatever `send` raises, and any delay beyond the deadline, is Unknown."""

    provider: str
    facts: Facts

    async def send(self, message: Message, deadline: Deadline) -> Answer: ...

    async def look_up(self, message: Message, known: frozenset[str], since: datetime) -> str | None:
        """The reference of the message if the provider shows it, taken at `since` or later; `known`
        belong to others."""


Channels = Mapping[ChannelName, Channel]
