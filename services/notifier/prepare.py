"""A claimed intent made ready: its text rendered, its address opened."""

import hashlib
import hmac
from collections.abc import Mapping
from uuid import UUID

import msgspec

from services.events.permits import Redeem
from services.events.words import Channel
from services.notifier.addresses import Keyring, at_rest
from services.notifier.channels import Message
from services.notifier.claims import Claimed
from services.notifier.render import Rendered, TemplateSet, render

SIGNATURE_HEX = 32


class Ready(msgspec.Struct, frozen=True):
    """What is needed to redeem and to send; never logged."""

    claimed: Claimed
    to: str
    rendered: Rendered
    unsubscribe_url: str | None

    def __repr__(self) -> str:
        return f"Ready(attempt_id={self.claimed.held.attempt_id})"


class NoSender(Exception):
    """This tenant has no name to write in, and nobody else's is put in its place."""


class Preparer(msgspec.Struct, frozen=True):
    """What rendering and opening need; built once."""

    templates: TemplateSet
    ring: Keyring
    sender: str | None  # who writes, in the texts
    senders: Mapping[str, str]  # the same for tenants with a name of their own
    public_url: str
    unsubscribe_key: bytes

    def __repr__(self) -> str:
        return "Preparer()"

    def prepare(self, claimed: Claimed) -> Ready:
        """NoSender, LookupError, Unsealable, or a template's: a person must mend something."""
        tenant, allowed = claimed.held.tenant, claimed.allowed
        if (sender := self.senders.get(tenant, self.sender)) is None:
            raise NoSender
        url = None
        if claimed.channel is Channel.EMAIL:
            url = unsubscribe_url(self.public_url, self.unsubscribe_key, claimed.held.attempt_id)
        rendered = render(
            self.templates,
            allowed,
            claimed.channel,
            sender=sender,
            unsubscribe_url=url,
        )
        point = claimed.point
        context = at_rest(tenant, allowed.borrower_id, point.contact_point_id)
        to = self.ring.open(point.key_id, context, point.sealed).decode()
        return Ready(claimed, to, rendered, url)


def unsubscribe_url(public_url: str, key: bytes, attempt_id: UUID) -> str:
    """A link that only we can make, naming an attempt and nobody's address."""
    return f"{public_url}/v1/unsubscribe/{attempt_id}/{unsubscribe_signature(key, attempt_id)}"


def unsubscribe_signature(key: bytes, attempt_id: UUID) -> str:
    message = b"unsubscribe|" + attempt_id.bytes
    return hmac.digest(key, message, hashlib.sha256).hex()[:SIGNATURE_HEX]


def redeem_of(ready: Ready) -> Redeem:
    """What policy is asked about it."""
    claimed = ready.claimed
    allowed = claimed.allowed
    return Redeem(
        tenant=claimed.held.tenant,
        attempt_id=claimed.held.attempt_id,
        reminder_id=allowed.reminder_id,
        emission=claimed.emission,
        borrower_id=allowed.borrower_id,
        loan_id=allowed.loan_id,
        installment_number=allowed.installment_number,
        stage=allowed.stage,
        channel=claimed.channel,
        contact_point_id=claimed.point.contact_point_id,
        outstanding_minor=allowed.outstanding_minor,
        currency=allowed.currency,
        valid_until=allowed.valid_until,
        content=ready.rendered.content,
        releases=claimed.releases,
        epoch=claimed.held.epoch,
    )


def message_of(ready: Ready, valid_seconds: int) -> Message:
    return Message(
        attempt_id=ready.claimed.held.attempt_id,
        reminder_id=ready.claimed.allowed.reminder_id,
        to=ready.to,
        body=ready.rendered.body,
        subject=ready.rendered.subject,
        valid_seconds=valid_seconds,
        unsubscribe_url=ready.unsubscribe_url,
    )
