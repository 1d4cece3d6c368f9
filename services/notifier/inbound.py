"""Inbound messages: our block is committed before the provider's 2xx."""

from aiohttp import web

from services.events.codec import Record
from services.events.words import Channel, PointKind
from services.notifier.address_book import SQL
from services.notifier.addresses import GivenAddress, InvalidAddress, contact_point_id, normalise
from services.notifier.callbacks import Signatures
from services.notifier.replies import SAID_START, SAID_STOP, Heard, Vocabulary
from services.notifier.stops import Forwarder, Points, record_reply
from services.runtime import clock, outbox
from services.runtime.database import Pool, connected, repeating, transaction
from services.runtime.metrics import CALLBACKS
from services.runtime.outbox import Outbox
from services.runtime.web import Problem

EMPTY_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response></Response>'


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
        async with connected(self._db) as connection:
            tenants = [row["tenant"] for row in await connection.fetch(SQL["tenants"])]
        return [(t, contact_point_id(self._identity_key, t, address)) for t in tenants]

    async def heard(
        self, points: Points, *, message_ref: str, channel: Channel, heard: Heard
    ) -> None:
        """Committed, and forwarded to policy if it can be reached; else a sweep does it."""

        async def write() -> list[Record]:
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
            return records

        records = await repeating(write)  # Twilio doesn't come again for long
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
        match fields.get("OptOutType"):  # one of the keywords that the account has at Twilio
            case "STOP":
                heard = SAID_STOP
            case "START" if heard.meaning != "stop":  # in doubt it is stop
                heard = SAID_START
        points = await inbound.points_of_number(fields["From"])
        await inbound.heard(points, message_ref=sid, channel=Channel.SMS, heard=heard)
        CALLBACKS.labels("twilio", heard.meaning).inc()
        return web.Response(text=EMPTY_TWIML, content_type="text/xml")

    return [web.post("/v1/inbound/twilio", message)]
