"""The sandbox's own endpoints: what it saw, which lies it tells, the reply box, the page."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from services.sandbox.arrival import World
from services.sandbox.behaviors import CONDUCT, Behavior, Channel
from services.sandbox.inbound import send_inbound
from services.sandbox.lies import checked_mix, parse_mix
from services.sandbox.messages import Message

PAGE = Path(__file__).parent / "page"
PAGE_FILES = {
    "/": "text/html",
    "/sandbox/inbox.css": "text/css",
    "/sandbox/inbox.js": "text/javascript",
}
PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LINES_AT_MOST = 1000
MESSAGES_AT_MOST = 500

_encode = msgspec.json.Encoder().encode

Wanted = TypeVar("Wanted")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LiesWanted(msgspec.Struct, forbid_unknown_fields=True):
    mix: str | dict[str, float]
    max_lies: int | None = None


class OutageWanted(msgspec.Struct, forbid_unknown_fields=True):
    on: bool
    channels: tuple[Channel, ...] = (Channel.SMS, Channel.PUSH, Channel.EMAIL)
    behavior: Behavior = Behavior.UNAVAILABLE


class NextWanted(msgspec.Struct, forbid_unknown_fields=True):
    channel: Channel
    behavior: Behavior
    count: int = 1


class InboundWanted(msgspec.Struct, forbid_unknown_fields=True, rename={"sender": "from"}):
    sender: str
    to: str
    body: str
    opt_out_type: str | None = None


def control_routes(world: World) -> list[web.RouteDef]:
    async def page(request: web.Request) -> web.StreamResponse:
        name = "inbox.html" if request.path == "/" else request.path.rpartition("/")[2]
        return web.Response(
            body=(PAGE / name).read_bytes(),
            content_type=PAGE_FILES[request.path],
            charset="utf-8",
            headers=PAGE_HEADERS,
        )

    async def messages(request: web.Request) -> web.StreamResponse:
        since = _whole(request, "since", 0)
        limit = min(_whole(request, "limit", MESSAGES_AT_MOST), MESSAGES_AT_MOST)
        before = _whole(request, "before", 0) or None
        found = world.messages.changed_between(since, before, limit)
        return _json(
            {
                "revision": world.messages.revision,
                "can_reply": world.settings.inbound_url is not None,
                "messages": [_shown(message) for message in found],
            }
        )

    async def history(request: web.Request) -> web.StreamResponse:
        after = _whole(request, "after", 0)
        limit = min(_whole(request, "limit", LINES_AT_MOST), LINES_AT_MOST)
        lines = world.history.page(after, limit)
        body = b'{"last":%d,"events":[%s]}' % (world.history.last, b",".join(lines))
        return web.Response(body=body, content_type="application/json", headers=PAGE_HEADERS)

    async def lies(request: web.Request) -> web.StreamResponse:
        if request.method == "PUT":
            wanted = await _read(request, LiesWanted)
            mix = parse_mix(wanted.mix) if isinstance(wanted.mix, str) else checked_mix(wanted.mix)
            world.lies.change(mix, wanted.max_lies)
            world.history.write("lies", mix=mix, max_lies=wanted.max_lies)
        return _json(
            {"mix": world.lies.mix, "max_lies": world.lies.max_lies, "told": world.lies.told}
        )

    async def outage(request: web.Request) -> web.StreamResponse:
        if request.method == "PUT":
            wanted = await _read(request, OutageWanted)
            if CONDUCT[wanted.behavior].accepted:
                raise ValueError(f"{wanted.behavior} accepts; an outage accepts nothing")
            for channel in wanted.channels:
                world.lies.outages.pop(channel, None)
                if wanted.on:
                    world.lies.outages[channel] = wanted.behavior
            world.history.write("outage", outages=world.lies.outages)
        return _json({"outages": world.lies.outages})

    async def next_ones(request: web.Request) -> web.StreamResponse:
        wanted = await _read(request, NextWanted)
        if wanted.channel not in CONDUCT[wanted.behavior].channels:
            raise ValueError(f"{wanted.behavior} doesn't exist on {wanted.channel}")
        world.lies.script(wanted.channel, wanted.behavior, wanted.count)
        return _json({"scripts": {c: list(s) for c, s in world.lies.scripts.items()}})

    async def inbound(request: web.Request) -> web.StreamResponse:
        wanted = await _read(request, InboundWanted)
        try:
            told = await send_inbound(
                world, wanted.sender, wanted.to, wanted.body, wanted.opt_out_type
            )
        except LookupError as error:
            return _json({"error": str(error)}, status=409)
        return _json(told)

    async def health(request: web.Request) -> web.StreamResponse:
        return _json(
            {
                "status": "ok",
                "open_requests": world.open_requests,
                "callbacks_pending": world.callbacks.pending,
                "messages": len(world.messages),
                "history": world.history.last,
            }
        )

    return [
        *(web.get(path, page) for path in PAGE_FILES),
        web.get("/sandbox/messages.json", messages),
        web.get("/sandbox/history.json", history),
        web.get("/sandbox/lies", _told(lies)),
        web.put("/sandbox/lies", _told(lies)),
        web.get("/sandbox/outage", _told(outage)),
        web.put("/sandbox/outage", _told(outage)),
        web.post("/sandbox/next", _told(next_ones)),
        web.post("/sandbox/inbound", _told(inbound)),
        web.get("/healthz", health),
    ]


def _told(handler: Handler) -> Handler:
    """A wrong request is answered 400 with what is wrong in it."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except ValueError as error:
            return _json({"error": str(error)}, status=400)

    return handle


async def _read(request: web.Request, kind: type[Wanted]) -> Wanted:
    """Only JSON: a form on somebody's web page can't send it without asking first."""
    if request.content_type != "application/json":
        raise ValueError("send JSON: Content-Type: application/json")
    return msgspec.json.decode(await request.read(), type=kind)


def _shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.request,
        "revision": message.revision,
        "channel": message.channel,
        "direction": message.direction,
        "to": message.to,
        "from": message.sender,
        "subject": message.subject,
        "text": message.text,
        "at": message.at,
        "business_at": message.business_at,
        "accepted": message.accepted,
        "status": message.status,
        "code": message.code,
        "behavior": message.behavior,
        "provider_ref": message.provider_ref,
        "attempt_id": message.attempt_id,
    }


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=_encode(value), content_type="application/json", headers=PAGE_HEADERS
    )
