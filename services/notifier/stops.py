"""A person said stop, or start: our own block first, then policy, then the answer."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import aiohttp
import msgspec

from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.deliveries import BorrowerReplied
from services.events.stops import StopLifted, StopRecorded
from services.events.words import Channel
from services.notifier.address_book import SOURCE, SQL
from services.notifier.replies import Heard
from services.notifier.store import Row
from services.runtime import log
from services.runtime.database import Connection, Pool
from services.runtime.queries import columns

POLICY_SECONDS = 3.0
BORROWER = "borrower"  # `ended_by` where the person said start; else who settled the review
FORWARD_BATCH = 200
Points = Sequence[tuple[str, str]]
"""(tenant, contact_point_id), the same address in every tenant that knows it"""

_encode = msgspec.json.Encoder().encode


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
    rows = await connection.fetch(SQL["owners"], *columns(points, 2))
    owners: dict[tuple[str, str], list[UUID]] = {}
    for row in rows:
        known = owners.setdefault((row["tenant"], row["contact_point_id"]), [])
        if row["borrower_id"] is not None:
            known.append(row["borrower_id"])
    new = {}
    for tenant, point_id in owners:
        reply_id = derived_id("reply", tenant, point_id, message_ref)
        if await connection.fetchval(
            SQL["add_reply"], tenant, reply_id, point_id, heard.meaning, now
        ):
            new[tenant, point_id] = reply_id
    if heard.meaning == "stop" and new:
        replies = [(*key, reply_id, owners[key]) for key, reply_id in new.items()]
        await _stop(connection, replies, message_ref, channel, now)
        if heard.in_doubt:
            await connection.execute(
                SQL["add_reviews"],
                *columns([(tenant, reply_id, point) for tenant, point, reply_id, _ in replies], 3),
                channel,
                message_ref,
                heard.word_class,
                list(heard.languages),
                now,
            )
    elif heard.meaning == "start" and new:
        await connection.execute(SQL["unblock_points"], *columns(new, 2))
        for ending in ("end_replies", "end_stops", "start_over"):
            await connection.execute(SQL[ending], *columns(new, 2), now)
    return [
        encode(
            BorrowerReplied(
                tenant=tenant,
                reply_id=reply_id,
                contact_point_id=point_id,
                borrower_ids=tuple(owners[tenant, point_id]),
                channel=channel,
                received_at=now,
                meaning=heard.meaning,
            ),
            source=SOURCE,
            key=borrower_key(tenant, next(iter(owners[tenant, point_id]), point_id)),
            event_id=reply_id,
            time=now,
        )
        for (tenant, point_id), reply_id in new.items()
    ]


async def _stop(
    connection: Connection,
    replies: Sequence[tuple[str, str, UUID, Sequence[UUID]]],
    message_ref: str,
    channel: Channel,
    now: datetime,
) -> None:
    """Block each (tenant, contact point, reply, owners)."""
    points = [(tenant, point_id) for tenant, point_id, _, _ in replies]
    await connection.fetch(SQL["block_points"], *columns(points, 2))
    stops = [
        (
            tenant,
            derived_id("stop", tenant, point_id, borrower_id, message_ref),
            reply_id,
            point_id,
            borrower_id,
            channel,
            now,
        )
        for tenant, point_id, reply_id, borrowers in replies
        for borrower_id in borrowers
    ]
    if stops:
        await connection.execute(SQL["add_stops"], *columns(stops, 7))


class Forwarder:
    """Takes stops and their ends to policy's doors; what can't be taken now is taken later."""

    def __init__(
        self, db: Pool, session: aiohttp.ClientSession, policy_url: str, service_key: str
    ) -> None:
        self._db = db
        self._session = session
        self._url = policy_url
        # The door and the sweep take turns: a stop must not arrive again behind its own end.
        self._turn = asyncio.Lock()
        self._headers = {
            "Authorization": f"Bearer {service_key}",
            "Content-Type": "application/json",
        }

    async def forward(self) -> bool:
        """Everything that waits, oldest first; True if there may be more."""
        async with self._turn:
            rows = await self._db.fetch(SQL["stops_to_forward"], FORWARD_BATCH)
            for row in rows:
                if not await self._forward(row):
                    return False
            return len(rows) == FORWARD_BATCH

    async def _forward(self, row: Row) -> bool:
        tenant, stop_id = row["tenant"], row["stop_id"]
        if row["recorded_at"] is None:
            if not await self._post("/v1/stops", _recorded(row)):
                return False
            await self._db.execute(SQL["stop_recorded"], tenant, stop_id)
        if row["ended_at"] is not None:
            lifted = StopLifted(
                tenant=tenant,
                stop_id=stop_id,
                ended_at=row["ended_at"],
                lifted_by=row["ended_by"],
                on_word_of="borrower" if row["ended_by"] == BORROWER else "officer",
                evidence=f"reply {row['reply_id']}",
            )
            if not await self._post(f"/v1/stops/{stop_id}:lift", lifted):
                return False
            await self._db.execute(SQL["stop_lifted"], tenant, stop_id)
        return True

    async def _post(self, path: str, event: StopRecorded | StopLifted) -> bool:
        try:
            async with self._session.post(
                self._url + path,
                data=_encode(event),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=POLICY_SECONDS),
                allow_redirects=False,
            ) as response:
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            log.get().warning("stop_not_forwarded", error=type(error).__name__)
            return False
        if not 200 <= status < 300:
            log.get().error("stop_not_forwarded", status=status, stop_id=str(event.stop_id))
            return False
        return True


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
