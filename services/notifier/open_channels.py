"""Opens the channels whose variables are set, each with connections and a pace of its own."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from services.events.words import Channel as ChannelName
from services.notifier.channels import Channel
from services.notifier.channels.fcm_push import FcmPush
from services.notifier.channels.google_token import GoogleToken, read_service_account
from services.notifier.channels.smtp_email import SmtpEmail
from services.notifier.channels.transport import open_transport
from services.notifier.channels.twilio_sms import TwilioSms
from services.notifier.settings import Settings


@asynccontextmanager
async def open_channels(settings: Settings) -> AsyncIterator[Mapping[ChannelName, Channel]]:
    """The channels whose variables are set; each has its own connections."""
    channels: dict[ChannelName, Channel] = {}
    async with AsyncExitStack() as stack:
        if settings.fcm_service_account_file:
            account = read_service_account(settings.fcm_service_account_file)
            transport = await stack.enter_async_context(open_transport(settings.fcm_connections))
            channels[ChannelName.PUSH] = FcmPush(
                transport,
                GoogleToken(transport, account),
                project_id=account.project_id,
                api_url=settings.fcm_api_url,
            )
        if settings.twilio_account_sid and settings.twilio_auth_token and settings.twilio_from:
            transport = await stack.enter_async_context(open_transport(settings.sms_connections))
            channels[ChannelName.SMS] = TwilioSms(
                transport,
                account_sid=settings.twilio_account_sid,
                auth_token=settings.twilio_auth_token.get_secret_value(),
                sender=settings.twilio_from,
                api_url=settings.twilio_api_url,
                public_url=settings.public_url,
            )
        if settings.smtp_host and settings.mail_from:
            mail = SmtpEmail(
                host=settings.smtp_host,
                port=settings.smtp_port,
                username=settings.smtp_username,
                password=(
                    settings.smtp_password.get_secret_value() if settings.smtp_password else None
                ),
                tls=settings.smtp_tls == "tls",
                start_tls=settings.smtp_tls == "starttls",
                mail_from=settings.mail_from,
                connections=settings.smtp_connections,
            )
            stack.push_async_callback(mail.close)
            channels[ChannelName.EMAIL] = mail
        yield channels


def pace_of(settings: Settings) -> dict[ChannelName, tuple[int, float]]:
    """Connections and messages a second of each channel."""
    return {
        ChannelName.PUSH: (settings.fcm_connections, settings.push_per_second),
        ChannelName.SMS: (settings.sms_connections, settings.sms_per_second),
        ChannelName.EMAIL: (settings.smtp_connections, settings.email_per_second),
    }
