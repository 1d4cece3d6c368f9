"""Inbound messages and unsubscribe links: our block is committed before the provider's 2xx."""

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from aiohttp import web

from services.events.words import Channel, PointKind
from services.notifier.address_book import SQL
from services.notifier.addresses import GivenAddress, InvalidAddress, contact_point_id, normalise
from services.notifier.callbacks import Signatures
from services.notifier.prepare import unsubscribe_signature
from services.notifier.replies import SAID_STOP, Heard, Vocabulary
from services.notifier.stops import Forwarder, Points, record_reply
from services.notifier.store import SQL as ATTEMPT_SQL
from services.runtime import clock, outbox
from services.runtime.database import Pool, transaction
from services.runtime.metrics import CALLBACKS
from services.runtime.outbox import Outbox
from services.runtime.web import Problem

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'

_ASK = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Unsubscribe</title>
<body><form method="post"><p>Stop reminders to this e-mail address?</p>
<button>Unsubscribe</button></form></body></html>"""
_DONE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Unsubscribed</title>
<body><p>You will get no more reminders at this e-mail address.</p></body></html>"""
_UNKNOWN = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not unsubscribed</title>
<body><p>We no longer know the message that this link came with, so nothing was changed. Please use
the link of a newer message, or tell your lender.</p></body></html>"""


class Inbound:
    """What a person says to us, by whichever door."""

    def __init__(self, db: Pool, relay: Outbox, forwarder: Forwarder, identity_key: bytes) -> None:
        self._db = db
        self._relay = relay
        self._forwarder = forwarder
        self._identity_key = identity_key

    async def points_of_number(self, number: str) -> Points:
        """The contact point in every tenant: one sender's number may serve several."""
        try:
            address = normalise(GivenAddress(kind=PointKind.MOBILE, value=number))
        except InvalidAddress:
            return []
        tenants = [row["tenant"] for row in await self._db.fetch(SQL["tenants"])]
        return [(t, contact_point_id(self._identity_key, t, address)) for t in tenants]

    async def heard(
        self, points: Points, *, message_ref: str, channel: Channel, heard: Heard
    ) -> None:
        """Committed, and forwarded to policy if it can be reached; else a sweep does it."""
        async with transaction(self._db) as connection:
            records = await record_reply(
                connection,
                points,
                message_ref=message_ref,
                channel=channel,
                heard=heard,
                now=await clock.gate_now(connection),
            )
            await outbox.put(connection, records)
        self._relay.nudge()
        if records and heard.meaning in ("stop", "start"):
            await self._forwarder.forward_soon()


def inbound_routes(
    signatures: Signatures, inbound: Inbound, vocabulary: Vocabulary
) -> list[web.RouteDef]:
    async def message(request: web.Request) -> web.Response:
        fields = await signatures.form(request)
        sid = fields.get("MessageSid", "")
        if not 10 <= len(sid) <= 64 or not fields.get("From"):
            raise Problem(422, "invalid", "From or MessageSid is missing")
        heard = vocabulary.heard(fields.get("Body", ""))
        if fields.get("OptOutType") == "STOP":  # Twilio's own opt-out keywords have matched
            heard = SAID_STOP
        points = await inbound.points_of_number(fields["From"])
        await inbound.heard(points, message_ref=sid, channel=Channel.SMS, heard=heard)
        CALLBACKS.labels("twilio", heard.meaning).inc()
        return web.Response(text=EMPTY_TWIML, content_type="text/xml")

    return [web.post("/v1/inbound/twilio", message)]


def unsubscribe_routes(db: Pool, inbound: Inbound, key: bytes) -> Sequence[web.RouteDef]:
    """GET only asks, because link scanners follow links; POST acts (RFC 8058, one click)."""

    async def point_of(request: web.Request) -> tuple[UUID, Points]:
        try:
            attempt_id = UUID(request.match_info["attempt_id"])
        except ValueError:
            raise Problem(404, "no_such_link", "this link is not one of ours") from None
        given = request.match_info["signature"].encode()
        if not hmac.compare_digest(unsubscribe_signature(key, attempt_id).encode(), given):
            raise Problem(404, "no_such_link", "this link is not one of ours")
        rows = await db.fetch(ATTEMPT_SQL["contact_point_of"], attempt_id)
        return attempt_id, [(row["tenant"], row["contact_point_id"]) for row in rows]

    async def ask(request: web.Request) -> web.Response:
        await point_of(request)
        return web.Response(text=_ASK, content_type="text/html")

    async def act(request: web.Request) -> web.Response:
        attempt_id, points = await point_of(request)
        if not points:
            return web.Response(status=404, text=_UNKNOWN, content_type="text/html")
        ref = f"unsubscribe/{attempt_id}/{datetime.now(UTC).date()}"
        await inbound.heard(points, message_ref=ref, channel=Channel.EMAIL, heard=SAID_STOP)
        CALLBACKS.labels("smtp", "stop").inc()
        return web.Response(text=_DONE, content_type="text/html")

    path = "/v1/unsubscribe/{attempt_id}/{signature}"
    return [web.get(path, ask), web.post(path, act)]
