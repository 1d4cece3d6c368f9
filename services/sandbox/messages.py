"""What the handsets, mailboxes and apps hold: for look-ups and for the page."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile

from services.sandbox.behaviors import Behavior, Channel


@dataclass(slots=True, kw_only=True)
class Message:
    """One message, sent or received; `status` is Twilio's for SMS, else accepted or refused."""

    request: int  # its line in the history
    channel: Channel
    direction: str  # out = to the person, in = from the person
    to: str
    sender: str
    text: str
    at: datetime  # real clock
    accepted: bool
    status: str
    subject: str | None = None
    business_at: datetime | None = None
    code: str | int | None = None
    behavior: Behavior = Behavior.OK
    provider_ref: str | None = None
    attempt_id: str | None = None
    service: str | None = None  # Twilio's MessagingServiceSid
    sent_at: datetime | None = None
    updated_at: datetime | None = None
    revision: int = 0


class Messages:
    """The latest `limit` messages, by reference, by number and by order of change."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._by_request: OrderedDict[int, Message] = OrderedDict()
        self._by_ref: dict[str, Message] = {}
        self._by_number: dict[str, list[Message]] = {}
        self.revision = 0

    def __len__(self) -> int:
        return len(self._by_request)

    def add(self, message: Message) -> None:
        self._by_request[message.request] = message
        if message.provider_ref is not None:
            self._by_ref[message.provider_ref] = message
            if message.channel is Channel.SMS:
                self._by_number.setdefault(message.to, []).append(message)
        self.touch(message)
        if len(self._by_request) > self._limit:
            self._forget()

    def touch(self, message: Message) -> None:
        """Marks a change, so that the page fetches the message again."""
        self.revision += 1
        message.revision = self.revision
        if message.request in self._by_request:
            self._by_request.move_to_end(message.request)

    def by_ref(self, ref: str) -> Message | None:
        return self._by_ref.get(ref)

    def texts(self, number: str | None) -> Iterator[Message]:
        """SMS that Twilio accepted, newest first; every number's when none is named."""
        if number is not None:
            return reversed(self._by_number.get(number, []))
        return (
            m
            for m in reversed(self._by_request.values())
            if m.channel is Channel.SMS and m.provider_ref is not None
        )

    def changed_between(self, since: int, before: int | None, limit: int) -> list[Message]:
        """Latest change first, revisions strictly between the two."""
        found: Iterator[Message] = reversed(self._by_request.values())
        if before is not None:
            found = (message for message in found if message.revision < before)
        return list(islice(takewhile(lambda m: m.revision > since, found), limit))

    def _forget(self) -> None:
        _, oldest = self._by_request.popitem(last=False)
        if oldest.provider_ref is not None:
            self._by_ref.pop(oldest.provider_ref, None)
            texts = self._by_number.get(oldest.to, [])
            if oldest in texts:
                texts.remove(oldest)
            if not texts:
                self._by_number.pop(oldest.to, None)
