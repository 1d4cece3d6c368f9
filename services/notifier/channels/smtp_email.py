"""E-mail by aiosmtplib over a pool of connections; SMTP keeps no key and has no look-up."""

import asyncio
import socket
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parseaddr

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPRecipientRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPStatus,
)

from services.notifier.channels import (
    Accepted,
    Answer,
    Deadline,
    Facts,
    Message,
    NotSent,
    Rejected,
)
from services.notifier.channels.mail_bytes import UnsafeHeader, mail_bytes

# RFC 3463, and what the large mailbox providers do: these say that the mailbox doesn't exist.
NO_SUCH_MAILBOX = ("5.1.1", "5.1.2", "5.1.3", "5.1.10", "5.2.1")
LAST_WORDS_SECONDS = 2.0


class SmtpEmail:
    """One mail relay; each pooled connection carries one message at a time."""

    provider = "smtp"
    facts = Facts(idempotency=None, look_up=None, expiry=None, collapse=None)

    def __init__(
        self,
        *,
        host: str,
        port: int,
        username: str | None,
        password: str | None,
        tls: bool,
        start_tls: bool,
        mail_from: str,
        connections: int,
    ) -> None:
        self._connection = {
            "hostname": host,
            "port": port,
            "username": username,
            "password": password,
            "use_tls": tls,
            "start_tls": start_tls,
        }
        self._from = mail_from
        self._envelope_from = parseaddr(mail_from)[1]
        self._domain = self._envelope_from.rpartition("@")[2]
        self._idle: list[SMTP] = []
        self._free = asyncio.Semaphore(connections)

    async def send(self, message: Message, deadline: Deadline) -> Answer:
        """Nothing is delivered before the final dot: a failure before the content is NotSent."""
        try:
            now = datetime.now(UTC)
            content = mail_bytes(message, sender=self._from, domain=self._domain, now=now)
        except UnsafeHeader:
            return Rejected("unsafe_header")
        async with self._free:
            connection = await self._envelope(message.to, deadline)
            if not isinstance(connection, SMTP):
                return connection
            try:
                # The last look at the clock; nothing waits between it and the content.
                if asyncio.get_running_loop().time() >= deadline.write_by:
                    connection.close()
                    return NotSent("too_late")
                async with asyncio.timeout_at(deadline.end_by):
                    await _deliver(connection, content)
            except SMTPResponseException as refusal:
                connection.close()
                if not 400 <= refusal.code < 600:
                    raise  # gibberish: aiosmtplib gives it the code -1
                return rejected(refusal.code, refusal.message)
            except BaseException:
                connection.close()  # a later answer must not be taken for the next message's
                raise
            self._idle.append(connection)
            return Accepted(f"{message.attempt_id}@{self._domain}")

    async def look_up(self, message: Message, known: frozenset[str], since: datetime) -> str | None:
        return None

    async def close(self) -> None:
        """Say goodbye on every idle connection."""
        while self._idle:
            connection = self._idle.pop()
            with suppress(SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(LAST_WORDS_SECONDS):
                    await connection.quit()
            connection.close()

    async def _envelope(self, to: str, deadline: Deadline) -> SMTP | Answer:
        """A connection that has taken MAIL, RCPT and DATA, or why there is none."""
        connection: SMTP | None = None
        try:
            async with asyncio.timeout_at(deadline.write_by):
                while self._idle:
                    # The relay may have closed an idle connection; asking twice sends nothing.
                    connection = self._idle.pop()
                    with suppress(SMTPServerDisconnected, OSError):
                        await self._announce(connection, to)
                        return connection
                    connection.close()
                connection = SMTP(**self._connection, timeout=None)  # type: ignore[arg-type]
                await connection.connect()
                await self._announce(connection, to)
                return connection
        except BaseException as error:
            if connection is not None:
                connection.close()
            return _no_envelope(error)

    async def _announce(self, connection: SMTP, to: str) -> None:
        """Until the relay waits for the content: aiosmtplib's `data` would send it however late
        the relay's word to go on comes."""
        await connection.mail(self._envelope_from, timeout=None)
        await connection.rcpt(to, timeout=None)
        answer = await connection.execute_command(b"DATA", timeout=None)
        if answer.code != SMTPStatus.start_input:
            raise SMTPDataError(answer.code, answer.message)


def _no_envelope(error: BaseException) -> Answer:
    """Why the relay takes no content; what is no word of a relay or a network goes on."""
    if isinstance(error, SMTPResponseException):
        if not 400 <= error.code < 600:
            return NotSent("wrong_protocol")
        answer = rejected(error.code, error.message)
        if isinstance(error, SMTPRecipientRefused | SMTPDataError) or error.code < 500:
            return answer
        # It has not heard of the recipient yet: it is us that it refuses, and all our mail.
        return Rejected(answer.code, retryable=True, stop_provider=True)
    if isinstance(error, SMTPException | OSError):
        return NotSent(_why(error))
    raise error


async def _deliver(connection: SMTP, content: bytes) -> None:
    """The content, its lines of a dot doubled (RFC 5321, 4.5.2), and the relay's yes."""
    if connection.protocol is None:
        raise SMTPServerDisconnected("lost before its content")
    connection.protocol.write(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    answer = await connection.protocol.read_response()
    if answer.code != SMTPStatus.completed:
        raise SMTPDataError(answer.code, answer.message)


def _why(error: BaseException) -> str:
    """As the HTTP transport's: what an operator has to look at."""
    if "STARTTLS" in str(error):  # of aiosmtplib's plain SMTPException: the relay doesn't offer it
        return "tls_failed"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return "tls_failed"
        if isinstance(cause, socket.gaierror):
            return "name_unresolved"
        cause = cause.__cause__ or cause.__context__
    return "timed_out" if isinstance(error, TimeoutError) else "connect_failed"


def rejected(code: int, text: str) -> Rejected:
    """A 4xx passes, a 5xx doesn't; the text may quote an address and is dropped."""
    status = _enhanced(text)
    if code in (530, 535, 538):  # authentication: our account, not this message
        return Rejected(str(code), retryable=True, stop_provider=True)
    named = f"{code}_{status}" if status else str(code)
    return Rejected(
        named,
        retryable=400 <= code < 500,
        suppress_point=500 <= code < 600 and status in NO_SUCH_MAILBOX,
    )


def _enhanced(text: str) -> str:
    """The enhanced status code of RFC 3463 that begins a reply, or nothing."""
    head = text.split(maxsplit=1)[0] if text.strip() else ""
    parts = head.split(".")
    return head if len(parts) == 3 and all(p.isdigit() and len(p) <= 3 for p in parts) else ""
