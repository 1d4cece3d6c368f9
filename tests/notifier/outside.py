"""A channel and the provider at its other end, honest until told to lie."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

from services.notifier.channels import Channel, Deadline, Message, Outcome
from services.notifier.channels.call import call
from services.notifier.channels.fcm_push import FcmPush
from services.notifier.channels.google_token import GoogleToken, read_service_account
from services.notifier.channels.smtp_email import SmtpEmail
from services.notifier.channels.transport import open_transport
from services.notifier.channels.twilio_sms import TwilioSms
from tests.loop_time import standing_at
from tests.notifier.google_key import service_account
from tests.notifier.liars import HttpLiar, SmtpLiar

TO = {"sms": "+12025550143", "push": "device-token", "email": "someone@example.com"}

HTTP = ("sms", "push")

ALL = (*HTTP, "email")


class Outside:
    """A channel and the provider at its other end."""

    def __init__(self, name: str, channel: Channel, http: HttpLiar, mail: SmtpLiar) -> None:
        self.name = name
        self.channel = channel
        self.http = http
        self.mail = mail

    @property
    def requests(self) -> int:
        """Messages that reached the provider completely."""
        return len(self.mail.mails) if self.name == "email" else len(self.http.requests)

    async def send(self, seconds: float = 30.0, **wanted: object) -> Outcome:
        """What the channel says. Its time is over as soon as the provider falls silent."""
        end = asyncio.get_running_loop().time() + seconds
        sending = asyncio.create_task(
            call(self.channel, message(self.name, **wanted), deadline(end))
        )
        silence = asyncio.create_task(self._silence())
        await asyncio.wait([sending, silence], return_when=asyncio.FIRST_COMPLETED)
        silence.cancel()
        if sending.done():
            return await sending
        with standing_at(end):
            return await sending

    async def _silence(self) -> None:
        liar = self.mail if self.name == "email" else self.http
        await liar.silent.wait()
        liar.silent.clear()


def message(name: str, **wanted: object) -> Message:
    fields: dict[str, object] = {
        "attempt_id": uuid4(),
        "reminder_id": uuid4(),
        "to": TO[name],
        "body": "A reminder.",
        "subject": None if name == "sms" else "Harbor Lending",
        "valid_seconds": 600,
    }
    return Message(**(fields | wanted))  # type: ignore[arg-type]


def deadline(end: float) -> Deadline:
    return Deadline(write_by=end, end_by=end)


@asynccontextmanager
async def channel_to(name: str, http_url: str, smtp_port: int, folder: Path):  # type: ignore[no-untyped-def]
    async with AsyncExitStack() as stack:
        transport = await stack.enter_async_context(open_transport(20))
        if name == "sms":
            yield TwilioSms(
                transport,
                account_sid="AC" + "0" * 32,
                auth_token="t",
                sender="+15005550006",
                api_url=http_url,
                public_url="https://reminders.example.com",
            )
        elif name == "push":
            account = read_service_account(service_account(folder, f"{http_url}/token"))
            yield FcmPush(
                transport, GoogleToken(transport, account), project_id="p", api_url=http_url
            )
        else:
            mail = SmtpEmail(
                host="127.0.0.1",
                port=smtp_port,
                username=None,
                password=None,
                tls=False,
                start_tls=False,
                mail_from="Harbor Lending <reminders@example.com>",
                connections=2,
            )
            stack.push_async_callback(mail.close)
            yield mail


Open = Callable[[str], Awaitable[Outside]]
