"""The borrower writes back: a signed call of the inbound webhook, as Twilio makes it."""

import secrets

import aiohttp

from services.sandbox.arrival import World
from services.sandbox.behaviors import Channel
from services.sandbox.history import now
from services.sandbox.journeys import API_VERSION
from services.sandbox.messages import Message

# Twilio's default keywords; the whole body must be one of them.
STOP_WORDS = {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
START_WORDS = {"START", "YES", "UNSTOP"}


async def send_inbound(
    world: World, sender: str, to: str, body: str, opt_out_type: str | None
) -> dict[str, object]:
    """Status and error of the webhook's answer; LookupError when no inbound URL is set."""
    url = world.settings.inbound_url
    if url is None:
        raise LookupError("no inbound webhook: start the sandbox with --inbound-url URL")
    word = body.strip().upper()
    if world.settings.opt_out_at_provider:
        if word in STOP_WORDS:
            world.opted_out.add(sender)
        elif word in START_WORDS:
            world.opted_out.discard(sender)
    sid = "SM" + secrets.token_hex(16)
    form = {
        "AccountSid": world.settings.twilio_account_sid,
        "ApiVersion": API_VERSION,
        "Body": body,
        "From": sender,
        "MessageSid": sid,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsMessageSid": sid,
        "SmsSid": sid,
        "SmsStatus": "received",
        "To": to,
    }
    if opt_out_type:
        form["OptOutType"] = opt_out_type
    business_at = await world.witness.business_now() if world.witness else None
    sent_at, status, error = now(), None, None
    try:
        status = await world.callbacks.post_signed(url, form)
    except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
        error = type(failure).__name__
    answered_at = None if status is None else now()
    number = world.history.write(
        "inbound",
        t_sent=sent_at,
        t_business=business_at,
        t_answered=answered_at,
        sender=sender,
        to=to,
        text=body,
        opt_out_type=opt_out_type,
        provider_ref=sid,
        http_status=status,
        error=error,
    )
    accepted = status is not None and 200 <= status < 300
    world.messages.add(
        Message(
            request=number,
            channel=Channel.SMS,
            direction="in",
            to=to,
            sender=sender,
            text=body,
            at=sent_at,
            business_at=business_at,
            accepted=accepted,
            status="received" if accepted else "refused",
            code=status,
        )
    )
    return {"provider_ref": sid, "http_status": status, "error": error}
