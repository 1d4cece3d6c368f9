"""Intents taken to be sent: each with the channel and the address that come next."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from services.events.reminders import ReminderAllowed
from services.events.words import AttemptState as State
from services.events.words import Channel, Outcome, PointKind
from services.notifier.address_book import SQL as BOOK_SQL
from services.notifier.choose import Point, choose
from services.notifier.receipts import receipt
from services.notifier.store import (
    SQL,
    Held,
    Owner,
    Row,
    decode_allowed,
    fail_reminders,
    history,
    put_back,
    refuse,
)
from services.runtime import outbox
from services.runtime.database import Connection, Pool, transaction
from services.runtime.queries import columns

LEASE_SECONDS = 30.0
ASIDE = timedelta(seconds=1)
NO_CONTACT_POINT = "no_contact_point"


class Claimed(msgspec.Struct, frozen=True):
    """One intent that this process holds until `leased_until`, on the event loop's clock."""

    held: Held
    emission: int
    releases: tuple[UUID, ...]
    allowed: ReminderAllowed
    channel: Channel
    point: Point
    leased_until: float


class Claims(msgspec.Struct, frozen=True):
    """What one claim took, how many intents it looked at, and the channels that had no room."""

    claimed: list[Claimed]
    seen: int
    crowded: frozenset[Channel]


async def points_of(connection: Connection, owners: Collection[Owner]) -> dict[Owner, list[Point]]:
    """Where these borrowers may be reached now."""
    found: dict[Owner, list[Point]] = {}
    for row in await connection.fetch(BOOK_SQL["usable_addresses"], *columns(set(owners), 2)):
        found.setdefault((row["tenant"], row["borrower_id"]), []).append(
            Point(row["contact_point_id"], PointKind(row["kind"]), row["key_id"], row["sealed"])
        )
    return found


async def claim(
    db: Pool,
    owner: UUID,
    providers: Mapping[Channel, str],
    limit: int,
    room: Mapping[Channel, int],
) -> Claims:
    """Look at up to `limit` intents, by priority, and take as many a channel as it has room for.

    One that has nowhere left to go fails its reminder.  What a channel has no room for stays as it
    is; if that is most of what was seen, it steps aside so that others can be seen.
    """
    leased_until = asyncio.get_running_loop().time() + LEASE_SECONDS
    async with transaction(db) as connection:
        rows = await connection.fetch(SQL["lock_intents"], limit)
        if not rows:
            return Claims([], 0, frozenset())
        points = await points_of(connection, [(r["tenant"], r["borrower_id"]) for r in rows])
        tried = await history(
            connection,
            [(r["tenant"], r["reminder_id"]) for r in rows if r["emission"] > 1 or r["releases"]],
        )
        claimed: list[Claimed] = []
        hopeless, crowding = [], []
        left = dict(room)
        crowded: set[Channel] = set()
        for row in rows:
            allowed = decode_allowed(row["allowed"])
            chosen = choose(
                allowed.channels,
                providers,
                points.get((row["tenant"], row["borrower_id"]), ()),
                allowed.refused_contact_points,
                tried.get((row["tenant"], row["reminder_id"]), ()),
            )
            if chosen is None:
                hopeless.append(Held(row["attempt_id"], row["tenant"], row["epoch"]))
            elif left[chosen[0]] > 0:
                left[chosen[0]] -= 1
                claimed.append(_claimed(row, allowed, *chosen, leased_until))
            else:
                crowded.add(chosen[0])
                crowding.append(Held(row["attempt_id"], row["tenant"], row["epoch"]))
        await _take(connection, claimed, owner, providers)
        await give_up(connection, hopeless, NO_CONTACT_POINT)
        if len(crowding) * 2 > len(rows):
            await put_back(connection, crowding, ASIDE)
    return Claims(claimed, len(rows), frozenset(crowded))


async def _take(
    connection: Connection,
    claimed: Sequence[Claimed],
    owner: UUID,
    providers: Mapping[Channel, str],
) -> None:
    """On record, with where each will go: ours while the lease lasts."""
    rows = (
        (
            c.held.attempt_id,
            c.held.tenant,
            c.channel,
            providers[c.channel],
            c.point.contact_point_id,
        )
        for c in claimed
    )
    lease = timedelta(seconds=LEASE_SECONDS)
    await connection.execute(SQL["take"], *columns(rows, 5), owner, lease)


async def give_up(connection: Connection, held: Sequence[Held], reason: str) -> None:
    """These intents can't be tried at all: the reminder fails, and everybody hears why."""
    ended = await refuse(connection, [(one, State.SUPPRESSED, reason) for one in held])
    await fail_reminders(connection, [(row["tenant"], row["reminder_id"], reason) for row in ended])
    await outbox.put(
        connection,
        [
            receipt(row, State.SUPPRESSED, code=reason, outcome=Outcome.FAILED, reason=reason)
            for row in ended
        ],
    )


def _claimed(
    row: Row, allowed: ReminderAllowed, channel: Channel, point: Point, leased_until: float
) -> Claimed:
    return Claimed(
        held=Held(row["attempt_id"], row["tenant"], row["epoch"] + 1),
        emission=row["emission"],
        releases=tuple(row["releases"]),
        allowed=allowed,
        channel=channel,
        point=point,
        leased_until=leased_until,
    )
