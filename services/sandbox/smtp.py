"""An SMTP server that keeps what it accepts and misbehaves by address, by script and by chance."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from services.sandbox.arrival import Arrival, World, arrive, depart, is_accepted, last_uuid
from services.sandbox.behaviors import Behavior, Channel
from services.sandbox.history import now
from services.sandbox.lies import HONEST, Choice
from services.sandbox.magic import magic_for_address
from services.sandbox.wire import hold, pause, reset

HEADER_LINES = 400
MAIL_BYTES = 2**20

AT_RCPT: dict[Behavior, str] = {
    Behavior.BOUNCE_HARD: "550 5.1.1 No such user here",
    Behavior.BOUNCE_SOFT: "450 4.2.1 Mailbox busy, try again later",
    Behavior.MAILBOX_FULL: "452 4.2.2 Mailbox full",
    Behavior.GREYLIST: "451 4.7.1 Greylisted, try again later",
}
AFTER_DATA: dict[Behavior, str] = AT_RCPT | {
    Behavior.RATE_LIMITED: "451 4.7.1 Too many messages, try again later",
    Behavior.SERVER_ERROR: "554 5.3.0 Internal error",
    Behavior.UNAVAILABLE: "421 4.3.2 Service not available, closing",
    Behavior.SPAM: "554 5.7.1 Message rejected as spam",
    Behavior.UNSIGNED: "550 5.7.26 Unauthenticated sender, no SPF or DKIM",
    Behavior.GARBAGE: "\x7f?% not a reply",
}
_GONE = frozenset(
    {Behavior.TIMEOUT, Behavior.ACCEPT_TIMEOUT, Behavior.RESET, Behavior.ACCEPT_RESET}
)


class Door(SMTP):  # type: ignore[misc]  # aiosmtpd has no types here
    """One connection; it decides before DATA, because a reset comes in the middle of it."""

    def __init__(self, world: World, open_doors: "set[Door]") -> None:
        super().__init__(
            Mailroom(world),
            loop=asyncio.get_running_loop(),
            hostname="sandbox.example",
            ident="Dunwell sandbox ESMTP",
            data_size_limit=MAIL_BYTES,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=lambda *_: AuthResult(success=True),  # anybody may try
        )
        self._world = world
        self._open_doors = open_doors
        self.choice: Choice = HONEST

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_doors.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open_doors.discard(self)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str | None) -> None:
        if self.envelope.rcpt_tos and not arg:
            magic = magic_for_address(self.envelope.rcpt_tos[0])
            self.choice = self._world.lies.choose(
                Channel.EMAIL, None if magic is Behavior.GREYLIST else magic
            )
            if self.choice.behavior is Behavior.RESET:
                await self._reset_inside_data()
                return
        await super().smtp_DATA(arg)
        if self.choice.behavior is Behavior.UNAVAILABLE and self.transport is not None:
            self.transport.close()
        self.choice = HONEST

    async def _reset_inside_data(self) -> None:
        """Reads the header, so that the history knows whose mail it was, and no further."""
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        header = b""
        for _ in range(HEADER_LINES):
            line = await self._reader.readuntil(b"\r\n")
            header += line
            if line in (b"\r\n", b".\r\n"):
                break
        arrival = _arrival(self.envelope, header, self.choice)
        await arrive(self._world, arrival)
        await depart(self._world, arrival, None)
        await _vanish(self.transport)


class Mailroom:
    """aiosmtpd's hooks: RCPT may refuse, DATA takes the mail."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle_RCPT(
        self, server: Door, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        magic = magic_for_address(address)
        if magic is Behavior.GREYLIST and address in self._world.greylisted:
            magic = None
        elif magic is Behavior.GREYLIST:
            self._world.greylisted.add(address)
        if magic in AT_RCPT:
            envelope.rcpt_tos.append(address)
            arrival = _arrival(envelope, b"", Choice(magic, "magic"))
            envelope.rcpt_tos.pop()
            await arrive(self._world, arrival)
            await depart(self._world, arrival, arrival.status)
            return AT_RCPT[magic]
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Door, session: Session, envelope: Envelope) -> str:
        arrival = _arrival(envelope, envelope.content or b"", server.choice)
        behavior = arrival.behavior
        await arrive(self._world, arrival)
        if behavior is Behavior.SLOW:
            await pause(self._world, self._world.settings.slow_seconds)
        await depart(self._world, arrival, arrival.status)
        if behavior in _GONE:
            if behavior in (Behavior.TIMEOUT, Behavior.ACCEPT_TIMEOUT):
                await hold(self._world, server.transport)
            await _vanish(server.transport)
        return AFTER_DATA.get(behavior, f"250 2.0.0 OK queued as {arrival.provider_ref}")


async def _vanish(transport: asyncio.BaseTransport | None) -> None:
    """Resets the connection; what was still to be read of it is left unread."""
    reset(transport)
    await asyncio.Event().wait()  # the lost connection cancels us


def _arrival(envelope: Envelope, content: bytes, choice: Choice) -> Arrival:
    mail = BytesParser(policy=policy.default).parsebytes(content)
    assert isinstance(mail, EmailMessage)
    attempt_id, reminder_id = _ids(mail, envelope)
    behavior = choice.behavior
    arrival = Arrival(
        t_recv=now(),
        channel=Channel.EMAIL,
        provider="smtp",
        path="DATA" if content else "RCPT",
        to=_readable(",".join(envelope.rcpt_tos)),
        sender=_readable(envelope.mail_from or ""),
        subject=_readable(mail["Subject"]) if "Subject" in mail else None,
        text=_readable(_text(mail)),
        attempt_id=attempt_id,
        reminder_id=reminder_id,
        choice=choice,
        accepted=is_accepted(behavior),
    )
    if behavior not in _GONE:
        reply = AFTER_DATA.get(behavior, "250")
        arrival.status = int(reply[:3]) if reply[:3].isdigit() else None
        arrival.code = None if arrival.accepted else reply.split(" ")[1]
    if arrival.accepted:
        arrival.provider_ref = secrets.token_hex(6).upper()
    return arrival


def _ids(mail: EmailMessage, envelope: Envelope) -> tuple[str | None, str | None]:
    """From `Message-ID: <attempt_id@…>`, else an X-…Attempt-Id header, else the return path."""
    named: dict[str, str] = {}
    for name, value in mail.items():
        low = name.lower()
        if low.startswith("x-") and low.endswith(("attempt-id", "reminder-id")):
            named[low.rsplit("-", 2)[1]] = str(value).strip()
    attempt_id = (
        last_uuid(str(mail.get("Message-ID", "")).partition("@")[0])
        or named.get("attempt")
        or last_uuid(str(envelope.mail_from or ""))
    )
    return attempt_id, named.get("reminder")


def _text(mail: EmailMessage) -> str:
    """The plain text, else the HTML; the raw payload where neither can be decoded."""
    try:
        part: Any = mail.get_body(("plain", "html"))
        return str(part.get_content()) if part is not None else ""
    except (LookupError, KeyError, ValueError):
        return str(mail.get_payload())


def _readable(text: object) -> str:
    """Bytes that are no UTF-8 come as surrogates, which JSON can't hold."""
    return str(text).encode(errors="replace").decode()


@asynccontextmanager
async def smtp_server(world: World, host: str, port: int) -> AsyncIterator[int]:
    """The port it listens on."""
    doors: set[Door] = set()
    server = await asyncio.get_running_loop().create_server(
        lambda: Door(world, doors), host, port, backlog=512
    )
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for door in list(doors):
            if door.transport is not None:
                door.transport.close()
        await server.wait_closed()
