"""One request from its arrival to its answer, as the history tells it, on every channel."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from services.sandbox.behaviors import CONDUCT, Behavior, Channel
from services.sandbox.callbacks import Callbacks
from services.sandbox.history import History, now
from services.sandbox.lies import HONEST, Choice, Lies
from services.sandbox.messages import Message, Messages
from services.sandbox.settings import Settings
from services.sandbox.witness import Witness

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(slots=True, kw_only=True)
class World:
    """All that the servers share; built in app.py."""

    settings: Settings
    history: History
    lies: Lies
    messages: Messages
    callbacks: Callbacks
    witness: Witness | None
    opted_out: set[str] = field(default_factory=set)
    greylisted: set[str] = field(default_factory=set)
    open_requests: int = 0
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True, kw_only=True)
class Arrival:
    """What one request said and what was decided about it; `accepted` is the truth."""

    t_recv: datetime
    channel: Channel
    provider: str
    path: str
    to: str
    sender: str = ""
    subject: str | None = None
    text: str = ""
    attempt_id: str | None = None
    reminder_id: str | None = None
    validity_seconds: float | None = None  # the provider's expiry field
    collapse: str | None = None
    callback_url: str | None = None
    service: str | None = None
    choice: Choice = HONEST
    accepted: bool = True
    status: int | None = None  # the answer it will get; None for none
    code: str | int | None = None  # the provider's own error code
    provider_ref: str | None = None
    request: int = 0  # its line in the history
    message: Message | None = None

    @property
    def behavior(self) -> Behavior:
        return self.choice.behavior


async def arrive(world: World, arrival: Arrival) -> None:
    """Looks at the attempt's row, then writes the request's line: before any answer is given."""
    business_at: datetime | None = None
    seen: dict[str, Any] = {}
    if (witness := world.witness) is not None:
        if witness.sees_attempts:
            seen = {"attempt_seen": {"at_arrival": await witness.attempt(arrival.attempt_id)}}
        business_at = await witness.business_now()
    world.open_requests += 1
    arrival.request = world.history.write(
        "request",
        t_recv=arrival.t_recv,
        t_business=business_at,
        channel=arrival.channel,
        provider=arrival.provider,
        path=arrival.path,
        attempt_id=arrival.attempt_id,
        reminder_id=arrival.reminder_id,
        to=arrival.to,
        sender=arrival.sender,
        subject=arrival.subject,
        text=arrival.text,
        sha256=hashlib.sha256(arrival.text.encode(errors="surrogateescape")).hexdigest(),
        validity_seconds=arrival.validity_seconds,
        collapse=arrival.collapse,
        accepted=arrival.accepted,
        lie=arrival.choice.lie,
        cause=arrival.choice.cause,
        status=arrival.status,
        code=arrival.code,
        provider_ref=arrival.provider_ref,
        **seen,
    )
    arrival.message = _message(arrival, business_at)
    world.messages.add(arrival.message)


async def depart(world: World, arrival: Arrival, status: int | None) -> None:
    """Just before the answer (None: there is none): looks again, writes the reply's line."""
    seen: dict[str, Any] = {}
    if (witness := world.witness) is not None and witness.sees_attempts:
        seen = {"attempt_seen": {"before_answer": await witness.attempt(arrival.attempt_id)}}
    world.open_requests -= 1
    world.history.write(
        "reply",
        request=arrival.request,
        attempt_id=arrival.attempt_id,
        status=status,
        t_replied=None if status is None else now(),
        **seen,
    )


def is_accepted(behavior: Behavior) -> bool:
    return CONDUCT[behavior].accepted


def ids_of_url(url: str | None) -> tuple[str | None, str | None]:
    """(attempt_id, reminder_id) of a callback URL: from its query, else the path's last UUID."""
    if not url:
        return None, None
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) if parts.query else {}
    attempt_id, reminder_id = ids_of_fields(query)
    return attempt_id or last_uuid(parts.path), reminder_id


def ids_of_fields(fields: Mapping[str, str]) -> tuple[str | None, str | None]:
    return fields.get("attempt_id"), fields.get("reminder_id")


def last_uuid(text: str) -> str | None:
    found = _UUID.findall(text)
    return found[-1].lower() if found else None


def _message(arrival: Arrival, business_at: datetime | None) -> Message:
    status = "accepted" if arrival.accepted else "refused"
    if arrival.accepted and arrival.channel is Channel.SMS:
        status = "accepted" if arrival.service else "queued"
    return Message(
        request=arrival.request,
        channel=arrival.channel,
        direction="out",
        to=arrival.to,
        sender=arrival.sender,
        subject=arrival.subject,
        text=arrival.text,
        at=arrival.t_recv,
        business_at=business_at,
        accepted=arrival.accepted,
        status=status,
        code=arrival.code,
        behavior=arrival.behavior,
        provider_ref=arrival.provider_ref,
        attempt_id=arrival.attempt_id,
        service=arrival.service,
        updated_at=arrival.t_recv,
    )
