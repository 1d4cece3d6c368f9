"""Answers as Twilio's Messages API does: create, fetch, list, its JSON and its error codes."""

import base64
import re
import secrets
from datetime import datetime
from hmac import compare_digest
from urllib.parse import parse_qsl

from aiohttp import web

from services.sandbox.arrival import Arrival, World, arrive, ids_of_url, is_accepted
from services.sandbox.behaviors import Behavior, Channel
from services.sandbox.history import now
from services.sandbox.journeys import steps
from services.sandbox.lies import Choice
from services.sandbox.magic import magic_for_number
from services.sandbox.messages import Message
from services.sandbox.twilio_lookup import listed, resource
from services.sandbox.wire import Reply, answer, fault_reply, json_reply

E164 = re.compile(r"\+[1-9]\d{6,14}")
BODY_CHARACTERS = 1600
VALIDITY_SECONDS = range(1, 36_001)

# status, code, message of each refusal (twilio.com/docs/api/errors).
REFUSALS: dict[Behavior, tuple[int, int, str]] = {
    Behavior.BAD_CREDENTIALS: (401, 20003, "Authenticate"),
    Behavior.BAD_NUMBER: (400, 21211, "Invalid 'To' Phone Number"),
    Behavior.REGION_OFF: (403, 21408, "Permission to send an SMS has not been enabled"),
    Behavior.OPTED_OUT: (400, 21610, "Attempt to send to unsubscribed recipient"),
    Behavior.NO_ROUTE: (400, 21612, "Message cannot be sent with the current 'To' and 'From'"),
    Behavior.NOT_MOBILE: (400, 21614, "'To' number is not a valid mobile number"),
}


def twilio_routes(world: World) -> list[web.RouteDef]:
    settings = world.settings
    base = "/2010-04-01/Accounts/{account}/Messages"
    pair = f"{settings.twilio_account_sid}:{settings.twilio_auth_token}".encode()
    expected = b"Basic " + base64.b64encode(pair)

    def is_ours(request: web.Request) -> bool:
        given = request.headers.get("Authorization", "").encode()
        return (
            compare_digest(given, expected)
            and request.match_info["account"] == settings.twilio_account_sid
        )

    async def create(request: web.Request) -> web.StreamResponse:
        t_recv = now()
        raw = await request.read()
        form = dict(parse_qsl(raw.decode(errors="replace"), keep_blank_values=True))
        return await _create(world, request, form, t_recv, allowed=is_ours(request))

    async def fetch(request: web.Request) -> web.StreamResponse:
        if not is_ours(request):
            return _error(*REFUSALS[Behavior.BAD_CREDENTIALS]).response()
        message = world.messages.by_ref(request.match_info["sid"])
        if message is None:
            return _error(404, 20404, "The requested resource was not found").response()
        return json_reply(200, resource(world, message)).response()

    async def listing(request: web.Request) -> web.StreamResponse:
        if not is_ours(request):
            return _error(*REFUSALS[Behavior.BAD_CREDENTIALS]).response()
        try:
            return json_reply(200, listed(world, request)).response()
        except ValueError as error:
            return _error(400, 20001, str(error)).response()

    return [
        web.post(base + ".json", create),
        web.get(base + ".json", listing),
        web.get(base + "/{sid}.json", fetch),
    ]


async def _create(
    world: World, request: web.Request, form: dict[str, str], t_recv: datetime, *, allowed: bool
) -> web.StreamResponse:
    settings = world.settings
    attempt_id, reminder_id = ids_of_url(form.get("StatusCallback"))
    arrival = Arrival(
        t_recv=t_recv,
        channel=Channel.SMS,
        provider="twilio",
        path=request.path,
        to=form.get("To", ""),
        sender=form.get("From") or form.get("MessagingServiceSid", ""),
        text=form.get("Body", ""),
        attempt_id=attempt_id,
        reminder_id=reminder_id,
        callback_url=form.get("StatusCallback"),
        service=form.get("MessagingServiceSid"),
    )
    if form.get("ValidityPeriod", "").isdigit():
        arrival.validity_seconds = int(form["ValidityPeriod"])
    refusal = _error(*REFUSALS[Behavior.BAD_CREDENTIALS]) if not allowed else _invalid(form)
    if refusal is not None:
        arrival.choice = Choice(Behavior.OK, "invalid")
        return await _refuse(world, request, arrival, refusal)
    if arrival.to in world.opted_out:
        arrival.choice = Choice(Behavior.OPTED_OUT, "opted_out")
    else:
        magic = magic_for_number(arrival.to, settings.magic_prefixes)
        arrival.choice = world.lies.choose(Channel.SMS, magic)
    behavior = arrival.behavior
    if behavior in REFUSALS:
        return await _refuse(world, request, arrival, _error(*REFUSALS[behavior]))
    arrival.accepted = is_accepted(behavior)
    if arrival.accepted:
        arrival.provider_ref = "SM" + secrets.token_hex(16)
    good = json_reply(201, _resource_of(world, arrival))
    reply = fault_reply(behavior, good, ERRORS, request.path)
    arrival.status = reply.status if reply else None
    arrival.code = reply.code if reply else None
    if behavior is Behavior.EMPTY_ID:
        reply = json_reply(201, _resource_of(world, arrival) | {"sid": ""})
    await arrive(world, arrival)
    if arrival.accepted and (message := arrival.message) is not None:
        course = steps(settings, behavior, arrival.validity_seconds, arrival.service is not None)
        if behavior is Behavior.EARLY_CALLBACK:
            await world.callbacks.follow_now(message, arrival.callback_url, course)
        else:
            world.callbacks.follow(message, arrival.callback_url, course)
    return await answer(world, request, arrival, reply)


async def _refuse(
    world: World, request: web.Request, arrival: Arrival, refusal: Reply
) -> web.StreamResponse:
    arrival.accepted, arrival.status = False, refusal.status
    arrival.code = refusal.code
    await arrive(world, arrival)
    return await answer(world, request, arrival, refusal)


def _invalid(form: dict[str, str]) -> Reply | None:
    """Twilio's first objection to the form, in Twilio's order and codes."""
    if not form.get("To"):
        return _error(400, 21604, "A 'To' phone number is required.")
    if not (form.get("From") or form.get("MessagingServiceSid")):
        return _error(400, 21603, "A 'From' phone number is required.")
    if not (form.get("Body") or form.get("MediaUrl") or form.get("ContentSid")):
        return _error(400, 21602, "Message body is required.")
    if not E164.fullmatch(form["To"]):
        return _error(400, 21211, "Invalid 'To' Phone Number: write it as +12015550123.")
    if len(form.get("Body", "")) > BODY_CHARACTERS:
        return _error(400, 21617, f"The body exceeds the {BODY_CHARACTERS} character limit.")
    validity = form.get("ValidityPeriod")
    if validity is not None and not (validity.isdigit() and int(validity) in VALIDITY_SECONDS):
        return _error(400, 20001, "ValidityPeriod: whole seconds from 1 to 36000.")
    return None


def _error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return json_reply(status, body, headers, code)


ERRORS: dict[int, Reply] = {
    429: _error(429, 20429, "Too Many Requests", {"Retry-After": "1"}),
    500: _error(500, 20500, "Internal Server Error"),
    503: _error(503, 20503, "Service Unavailable"),
}


def _resource_of(world: World, arrival: Arrival) -> dict[str, object]:
    """The answer to a create, before there is a stored message."""
    return resource(
        world,
        Message(
            request=0,
            channel=Channel.SMS,
            direction="out",
            to=arrival.to,
            sender=arrival.sender,
            text=arrival.text,
            at=arrival.t_recv,
            accepted=arrival.accepted,
            status="accepted" if arrival.service else "queued",
            provider_ref=arrival.provider_ref,
            service=arrival.service,
            updated_at=arrival.t_recv,
        ),
    )
