"""A person said stop, or start: our own block first, then policy, then the answer."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import aiohttp
import msgspec

from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.deliveries import BorrowerReplied
from services.events.stops import StopLifted, StopRecorded
from services.events.words import Channel
from services.notifier import contact_points
from services.notifier.replies import SAID_STOP, Heard
from services.notifier.store import SOURCE, Row
from services.runtime import log, queries
from services.runtime.database import Connection, Pool, connected
from services.runtime.queries import columns

SQL = queries.load(Path(__file__).with_name("stops.sql"))

POLICY_SECONDS = 3.0
DOOR_SECONDS = 5.0  # Twilio waits 15 s for an answer
BORROWER = "borrower"  # `ended_by` where the person said start; else who settled the review
FORWARD_BATCH = 200
REFUSED_WAIT = timedelta(minutes=15)  # and an error in the log each time
# A 4xx about our key or our haste, not about the stop: unauthorized, forbidden, timeout, too many.
OURS = (401, 403, 408, 429)
Points = Sequence[tuple[str, str]]
"""(tenant, contact_point_id), the same address in every tenant that knows it"""

_encode = msgspec.json.Encoder().encode


class _Reply(NamedTuple):
    """What one contact point was heard to say, for the first time; `borrowers` have it."""

    tenant: str
    reply_id: UUID
    contact_point_id: str
    borrowers: list[UUID]


async def record_reply(
    connection: Connection,
    points: Points,
    *,
    message_ref: str,
    channel: Channel,
    heard: Heard,
    now: datetime,
) -> list[Record]:
    """Once per message: block or unblock, note what policy must hear, and tell who replied.

    What was taken for a stop in doubt is also noted for a person to look at.
    """
    new = await _first_heard(connection, points, message_ref, heard, now)
    records = [_told(reply, channel, heard, now) for reply in new]
    if heard.meaning == "stop" and new:
        await _stop(connection, new, message_ref, channel, now)
        if heard.in_doubt:
            await connection.execute(
                SQL["add_reviews"],
                *columns(((r.tenant, r.reply_id, r.contact_point_id) for r in new), 3),
                channel,
                message_ref,
                heard.word_class,
                list(heard.languages),
                now,
            )
    elif heard.meaning == "start" and new:
        records += await _start(connection, new, now)
    return records


async def record_opt_out(
    connection: Connection, tenant: str, point_id: str, attempt_id: UUID, now: datetime
) -> None:
    """The SMS provider holds a stop that never reached us: it binds as one that did.

    Unless the person has said start since this attempt left: then they said stop before that.
    Nobody is told of a reply: when the person said so, nobody knows.
    """
    if await connection.fetchval(SQL["started_since"], tenant, point_id, attempt_id):
        return
    ref = f"refused/{attempt_id}"
    new = await _first_heard(connection, [(tenant, point_id)], ref, SAID_STOP, now)
    await _stop(connection, new, ref, Channel.SMS, now)


async def _first_heard(
    connection: Connection, points: Points, message_ref: str, heard: Heard, now: datetime
) -> list[_Reply]:
    """One for each contact point that we know and that did not say this before."""
    owners: dict[tuple[str, str], list[UUID]] = {}
    for row in await connection.fetch(SQL["owners"], *columns(points, 2)):
        known = owners.setdefault((row["tenant"], row["contact_point_id"]), [])
        if row["borrower_id"] is not None:
            known.append(row["borrower_id"])
    new = []
    for (tenant, point_id), borrowers in owners.items():
        reply_id = derived_id("reply", tenant, point_id, message_ref)
        if await connection.fetchval(
            SQL["add_reply"], tenant, reply_id, point_id, heard.meaning, now
        ):
            new.append(_Reply(tenant, reply_id, point_id, borrowers))
    return new


async def _stop(
    connection: Connection,
    replies: Sequence[_Reply],
    message_ref: str,
    channel: Channel,
    now: datetime,
) -> None:
    await connection.fetch(
        SQL["block_points"], *columns(((r.tenant, r.contact_point_id) for r in replies), 2)
    )
    stops = [
        (
            r.tenant,
            derived_id("stop", r.tenant, r.contact_point_id, borrower_id, message_ref),
            r.reply_id,
            r.contact_point_id,
            borrower_id,
            channel,
            now,
        )
        for r in replies
        for borrower_id in r.borrowers
    ]
    if stops:
        await connection.execute(SQL["add_stops"], *columns(stops, 7))


async def _start(connection: Connection, replies: Sequence[_Reply], now: datetime) -> list[Record]:
    """Every stop of these contact points ends; and who writes from one can be reached at it."""
    points = [(r.tenant, r.contact_point_id) for r in replies]
    await connection.execute(SQL["start_points"], *columns(points, 2))
    for ending in ("end_replies", "end_stops", "start_over"):
        await connection.execute(SQL[ending], *columns(points, 2), now)
    return await contact_points.revive(connection, points, now)


def _told(reply: _Reply, channel: Channel, heard: Heard, now: datetime) -> Record:
    return encode(
        BorrowerReplied(
            tenant=reply.tenant,
            reply_id=reply.reply_id,
            contact_point_id=reply.contact_point_id,
            borrower_ids=tuple(reply.borrowers),
            channel=channel,
            received_at=now,
            meaning=heard.meaning,
        ),
        source=SOURCE,
        key=borrower_key(reply.tenant, next(iter(reply.borrowers), reply.contact_point_id)),
        event_id=reply.reply_id,
        time=now,
    )


class Forwarder:
    """Takes stops and their ends to policy's doors; what can't be taken now is taken later."""

    def __init__(
        self, db: Pool, session: aiohttp.ClientSession, policy_url: str, service_key: str
    ) -> None:
        self._db = db
        self._session = session
        self._url = policy_url
        self._seldom = log.Seldom()
        # The door and the sweep take turns: a stop must not arrive again behind its own end.
        self._turn = asyncio.Lock()
        self._headers = {
            "Authorization": f"Bearer {service_key}",
            "Content-Type": "application/json",
        }

    async def forward_soon(self) -> None:
        """For a door: what can't be taken while its caller may be kept waiting, the sweep takes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DOOR_SECONDS):
                await self.forward()

    async def forward(self) -> bool:
        """Everything that waits, oldest first; True if there may be more."""
        async with self._turn:
            async with connected(self._db) as connection:
                rows = await connection.fetch(SQL["stops_to_forward"], FORWARD_BATCH, REFUSED_WAIT)
            try:
                for row in rows:
                    await self._forward(row)
            except _NotNow:
                return False
            return len(rows) == FORWARD_BATCH

    async def _forward(self, row: Row) -> None:
        """The stop, then its end; a no to either is kept, and nobody behind it waits."""
        if row["recorded_at"] is None:
            if not await self._post("/v1/stops", _recorded(row)):
                await self._note("stop_refused", row)
                return
            await self._note("stop_recorded", row)
        if row["ended_at"] is not None:
            taken = await self._post(f"/v1/stops/{row['stop_id']}:lift", _lifted(row))
            await self._note("stop_lifted" if taken else "stop_refused", row)

    async def _note(self, what: str, row: Row) -> None:
        async with connected(self._db) as connection:
            await connection.execute(SQL[what], row["tenant"], row["stop_id"])

    async def _post(self, path: str, event: StopRecorded | StopLifted) -> bool:
        """False: policy refuses this one; _NotNow: it would take none."""
        try:
            async with self._session.post(
                self._url + path,
                data=_encode(event),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=POLICY_SECONDS),
                allow_redirects=False,
            ) as response:
                body = await response.read()
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self._seldom.warning("stop_not_forwarded", error=type(error).__name__)
            raise _NotNow from None
        if 200 <= status < 300 and _is_recorded(body):
            return True
        if status in OURS or not 400 <= status < 500:
            self._seldom.warning("stop_not_forwarded", status=status)
            raise _NotNow
        log.get().error("stop_not_forwarded", status=status, stop_id=str(event.stop_id))
        return False


class _Answer(msgspec.Struct):
    """Policy's own word; the page of a proxy in between has no such field."""

    recorded: bool


def _is_recorded(body: bytes) -> bool:
    try:
        return msgspec.json.decode(body, type=_Answer).recorded
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False


class _NotNow(Exception):
    """Policy is away, or turns us away whatever we bring."""


def _recorded(row: Row) -> StopRecorded:
    return StopRecorded(
        tenant=row["tenant"],
        stop_id=row["stop_id"],
        borrower_id=row["borrower_id"],
        kind="opt_out",
        received_at=row["received_at"],
        form="electronic",
        channels=(row["channel"],),
        contact_point_ids=(row["contact_point_id"],),
        source="borrower",
    )


def _lifted(row: Row) -> StopLifted:
    return StopLifted(
        tenant=row["tenant"],
        stop_id=row["stop_id"],
        ended_at=row["ended_at"],
        lifted_by=row["ended_by"],
        on_word_of="borrower" if row["ended_by"] == BORROWER else "officer",
        evidence=f"reply {row['reply_id']}",
    )
