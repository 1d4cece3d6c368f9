"""Answers as Firebase Cloud Messaging's HTTP v1 API does: send, and its error bodies."""

import re
import secrets
from collections.abc import Callable
from typing import Any

import msgspec
from aiohttp import web

from services.sandbox.arrival import (
    Arrival,
    World,
    arrive,
    ids_of_fields,
    is_accepted,
)
from services.sandbox.behaviors import Behavior, Channel
from services.sandbox.history import now
from services.sandbox.lies import Choice
from services.sandbox.magic import magic_for_token
from services.sandbox.wire import Reply, answer, fault_reply, json_reply

PAYLOAD_BYTES = 4096
FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


def fcm_routes(world: World, is_live: Callable[[str], bool]) -> list[web.RouteDef]:
    """`is_live` tells whether a bearer token came from our token endpoint and hasn't expired."""

    async def send(request: web.Request) -> web.StreamResponse:
        t_recv = now()
        raw = await request.read()
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        arrival = Arrival(
            t_recv=t_recv, channel=Channel.PUSH, provider="fcm", path=request.path, to=""
        )
        refusal = _read(arrival, raw)
        if scheme != "Bearer" or not is_live(bearer):
            refusal = REFUSALS[Behavior.UNAUTHENTICATED]
        if refusal is not None:
            arrival.choice = Choice(Behavior.OK, "invalid")
        else:
            arrival.choice = world.lies.choose(Channel.PUSH, magic_for_token(arrival.to))
            refusal = REFUSALS.get(arrival.behavior)
        project = request.match_info["project"]
        return await _answer(world, request, arrival, refusal, project, _is_dry(raw))

    return [web.post(r"/v1/projects/{project}/messages:send", send)]


async def _answer(
    world: World,
    request: web.Request,
    arrival: Arrival,
    refusal: Reply | None,
    project: str,
    dry: bool,
) -> web.StreamResponse:
    if refusal is not None:
        reply: Reply | None = refusal
        arrival.accepted = False
    else:
        arrival.accepted = is_accepted(arrival.behavior) and not dry
        if arrival.accepted:
            arrival.provider_ref = f"projects/{project}/messages/0:{secrets.token_hex(12)}"
        name = arrival.provider_ref or f"projects/{project}/messages/fake_message_id"
        good = json_reply(200, {"name": name})
        reply = fault_reply(arrival.behavior, good, ERRORS, request.path)
        if arrival.behavior is Behavior.EMPTY_ID:
            reply = json_reply(200, {"name": ""})
    arrival.status = reply.status if reply else None
    arrival.code = reply.code if reply else None
    await arrive(world, arrival)
    return await answer(world, request, arrival, reply)


def _read(arrival: Arrival, raw: bytes) -> Reply | None:
    """Fills the arrival from the body; FCM's first objection, or None."""
    try:
        body = msgspec.json.decode(raw)
        message: dict[str, Any] = body["message"]
        arrival.to = str(message.get("token", ""))
        notification = message.get("notification") or {}
        data = message.get("data") or {}
        arrival.subject = notification.get("title")
        arrival.text = str(notification.get("body", data.get("body", "")))
        strings = {k: v for k, v in data.items() if isinstance(v, str)}
        arrival.attempt_id, arrival.reminder_id = ids_of_fields(strings)
        arrival.validity_seconds = _ttl(message)
        arrival.collapse = _collapse(message)
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError, ValueError):
        return _invalid("message", "Invalid JSON payload received.")
    if len(strings) != len(data):
        return _invalid("message.data", "Every value in data must be a string.")
    if not arrival.to:
        return _invalid("message.token", "Recipient of the message is not set.")
    if len(msgspec.json.encode([notification, data])) > PAYLOAD_BYTES:
        return _invalid("message", f"The message is bigger than {PAYLOAD_BYTES} bytes.")
    return None


def _ttl(message: dict[str, Any]) -> float | None:
    """Seconds until expiry: `android.ttl` ("3600s"), else the webpush TTL header."""
    if ttl := (message.get("android") or {}).get("ttl"):
        if not (found := re.fullmatch(r"(\d+(?:\.\d+)?)s", str(ttl))):
            raise ValueError("android.ttl is written as 3600s")
        return float(found[1])
    headers = (message.get("webpush") or {}).get("headers") or {}
    return float(headers["TTL"]) if "TTL" in headers else None


def _collapse(message: dict[str, Any]) -> str | None:
    android = message.get("android") or {}
    apns = (message.get("apns") or {}).get("headers") or {}
    tag = (android.get("notification") or {}).get("tag")
    return android.get("collapse_key") or tag or apns.get("apns-collapse-id")


def _is_dry(raw: bytes) -> bool:
    """`validate_only` answers as a send does and sends nothing."""
    if b"validate_only" not in raw:
        return False
    try:
        return bool(msgspec.json.decode(raw).get("validate_only"))
    except (msgspec.DecodeError, AttributeError):
        return False


def _error(
    status: int,
    word: str,
    message: str,
    fcm_code: str | None = None,
    headers: dict[str, str] | None = None,
) -> Reply:
    error: dict[str, Any] = {"code": status, "message": message, "status": word}
    if fcm_code is not None:
        error["details"] = [{"@type": FCM_ERROR, "errorCode": fcm_code}]
    return json_reply(status, {"error": error}, headers, fcm_code or word)


def _invalid(field: str, says: str) -> Reply:
    """INVALID_ARGUMENT is a bad payload or a bad token: only the named field tells which."""
    violation = {"field": field, "description": says}
    error = {
        "code": 400,
        "message": says,
        "status": "INVALID_ARGUMENT",
        "details": [
            {"@type": FCM_ERROR, "errorCode": "INVALID_ARGUMENT"},
            {"@type": BAD_REQUEST, "fieldViolations": [violation]},
        ],
    }
    return json_reply(400, {"error": error}, code="INVALID_ARGUMENT")


REFUSALS: dict[Behavior, Reply] = {
    Behavior.UNREGISTERED: _error(
        404, "NOT_FOUND", "Requested entity was not found.", "UNREGISTERED"
    ),
    Behavior.INVALID_TOKEN: _invalid(
        "message.token", "The registration token is not a valid FCM registration token"
    ),
    Behavior.INVALID_PAYLOAD: _invalid("message.data", "Invalid data payload key"),
    Behavior.SENDER_MISMATCH: _error(
        403, "PERMISSION_DENIED", "SenderId mismatch", "SENDER_ID_MISMATCH"
    ),
    Behavior.UNAUTHENTICATED: _error(
        401, "UNAUTHENTICATED", "Request had invalid authentication credentials."
    ),
}

ERRORS: dict[int, Reply] = {
    429: _error(
        429, "RESOURCE_EXHAUSTED", "Quota exceeded.", "QUOTA_EXCEEDED", {"Retry-After": "1"}
    ),
    500: _error(500, "INTERNAL", "Internal error encountered.", "INTERNAL"),
    503: _error(
        503, "UNAVAILABLE", "The service is unavailable.", "UNAVAILABLE", {"Retry-After": "1"}
    ),
}
