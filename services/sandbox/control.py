"""The sandbox's own endpoints: what it saw, which lies it tells, the reply box, the page."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import phonenumbers
from aiohttp import web
from phonenumbers import timezone

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


class Control:
    """The routes and the world they show and steer."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        return [
            *(web.get(path, self.page) for path in PAGE_FILES),
            web.get("/sandbox/messages.json", self.messages),
            web.get("/sandbox/history.json", self.history),
            web.get("/sandbox/lies", _told(self.lies)),
            web.put("/sandbox/lies", _told(self.lies)),
            web.get("/sandbox/outage", _told(self.outage)),
            web.put("/sandbox/outage", _told(self.outage)),
            web.post("/sandbox/next", _told(self.next_ones)),
            web.post("/sandbox/inbound", _told(self.inbound)),
            web.get("/healthz", self.health),
        ]

    async def page(self, request: web.Request) -> web.StreamResponse:
        """The inbox page and what it needs."""
        name = "inbox.html" if request.path == "/" else request.path.rpartition("/")[2]
        return web.Response(
            body=(PAGE / name).read_bytes(),
            content_type=PAGE_FILES[request.path],
            charset="utf-8",
            headers=PAGE_HEADERS,
        )

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """What changed between two revisions, as on a phone."""
        since = _whole(request, "since", 0)
        limit = min(_whole(request, "limit", MESSAGES_AT_MOST), MESSAGES_AT_MOST)
        before = _whole(request, "before", 0) or None
        found = self._world.messages.changed_between(since, before, limit)
        return _json(
            {
                "revision": self._world.messages.revision,
                "can_reply": self._world.settings.inbound_url is not None,
                "messages": [_shown(message) for message in found],
            }
        )

    async def history(self, request: web.Request) -> web.StreamResponse:
        """What was recorded after a line."""
        after = _whole(request, "after", 0)
        limit = min(_whole(request, "limit", LINES_AT_MOST), LINES_AT_MOST)
        lines = self._world.history.page(after, limit)
        body = b'{"last":%d,"events":[%s]}' % (self._world.history.last, b",".join(lines))
        return web.Response(body=body, content_type="application/json", headers=PAGE_HEADERS)

    async def lies(self, request: web.Request) -> web.StreamResponse:
        """Which lies are told, how often, how many at most."""
        if request.method == "PUT":
            wanted = await _read(request, LiesWanted)
            mix = parse_mix(wanted.mix) if isinstance(wanted.mix, str) else checked_mix(wanted.mix)
            self._world.lies.change(mix, wanted.max_lies)
            self._world.history.write("lies", mix=mix, max_lies=wanted.max_lies)
        return _json(
            {
                "mix": self._world.lies.mix,
                "max_lies": self._world.lies.max_lies,
                "told": self._world.lies.told,
            }
        )

    async def outage(self, request: web.Request) -> web.StreamResponse:
        """Channels that accept nothing."""
        if request.method == "PUT":
            wanted = await _read(request, OutageWanted)
            if CONDUCT[wanted.behavior].accepted:
                raise ValueError(f"{wanted.behavior} accepts; an outage accepts nothing")
            for channel in wanted.channels:
                self._world.lies.outages.pop(channel, None)
                if wanted.on:
                    self._world.lies.outages[channel] = wanted.behavior
            self._world.history.write("outage", outages=self._world.lies.outages)
        return _json({"outages": self._world.lies.outages})

    async def next_ones(self, request: web.Request) -> web.StreamResponse:
        """What the next requests on a channel meet."""
        wanted = await _read(request, NextWanted)
        if wanted.channel not in CONDUCT[wanted.behavior].channels:
            raise ValueError(f"{wanted.behavior} doesn't exist on {wanted.channel}")
        self._world.lies.script(wanted.channel, wanted.behavior, wanted.count)
        return _json({"scripts": {c: list(s) for c, s in self._world.lies.scripts.items()}})

    async def inbound(self, request: web.Request) -> web.StreamResponse:
        """The borrower writes."""
        wanted = await _read(request, InboundWanted)
        try:
            told = await send_inbound(
                self._world, wanted.sender, wanted.to, wanted.body, wanted.opt_out_type
            )
        except LookupError as error:
            return _json({"error": str(error)}, status=409)
        return _json(told)

    async def health(self, request: web.Request) -> web.StreamResponse:
        """That it runs, and what is still open."""
        return _json(
            {
                "status": "ok",
                "open_requests": self._world.open_requests,
                "callbacks_pending": self._world.callbacks.pending,
                "messages": len(self._world.messages),
                "history": self._world.history.last,
            }
        )


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
        "zone": likely_zone(message.sender if message.direction == "in" else message.to),
        "accepted": message.accepted,
        "status": message.status,
        "code": message.code,
        "behavior": message.behavior,
        "provider_ref": message.provider_ref,
        "attempt_id": message.attempt_id,
    }


@lru_cache(maxsize=4096)
def likely_zone(address: str) -> str | None:
    """The one time zone of a phone number; None if it may be in several, or is no number."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(address, None))
    except phonenumbers.NumberParseException:
        return None
    return zones[0] if len(zones) == 1 and zones[0] != timezone.UNKNOWN_TIMEZONE else None


def _whole(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else default


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        status=status, body=_encode(value), content_type="application/json", headers=PAGE_HEADERS
    )
