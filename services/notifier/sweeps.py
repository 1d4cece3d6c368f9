"""What time brings about: leases that expire, unknowns that are looked up or given up."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import NoReturn

from services.events.words import AttemptState as State
from services.events.words import Channel as ChannelName
from services.events.words import Outcome, PointKind
from services.notifier.channels import Channel
from services.notifier.channels.call import is_reference
from services.notifier.choose import Point
from services.notifier.claims import Claimed
from services.notifier.observe import Seen, observe
from services.notifier.prepare import Preparer, message_of
from services.notifier.receipts import receipt
from services.notifier.store import SQL, Held, Row, decode_allowed
from services.runtime import log, outbox
from services.runtime.database import Pool, connected, transaction

BATCH = 500
LOOK_UPS = 20
CLOCKS_APART = timedelta(minutes=1)  # a provider's and ours, and it names whole seconds
OUTCOME_UNKNOWN = "outcome_unknown"


async def every(seconds: float, what: str, sweep: Callable[[], Awaitable[bool]]) -> NoReturn:
    """Run `sweep` for ever; at once again when it says that there is more."""
    while True:
        try:
            more = await sweep()
        except Exception as error:
            log.get().warning("sweep_failed", name=what, error=type(error).__name__)
            more = False
        if not more:
            await asyncio.sleep(seconds)


async def expire_leases(db: Pool) -> bool:
    """Flights whose owner is gone or frozen: their outcome is unknown, and treated as sent."""
    async with transaction(db) as connection:
        rows = await connection.fetch(SQL["expire_leases"], BATCH)
        await outbox.put(
            connection, [receipt(row, State.UNKNOWN, code=row["code"]) for row in rows]
        )
    return len(rows) == BATCH


async def abandon(db: Pool, after: timedelta) -> bool:
    """No proof by the deadline: the reminder has failed, and still counts as a contact."""
    async with transaction(db) as connection:
        rows = await connection.fetch(SQL["abandon"], BATCH, after)
        await outbox.put(
            connection,
            [
                receipt(
                    row,
                    State.ABANDONED,
                    code=row["code"],
                    outcome=Outcome.FAILED,
                    reason=OUTCOME_UNKNOWN,
                )
                for row in rows
            ],
        )
    return len(rows) == BATCH


async def look_up(
    db: Pool, preparer: Preparer, channels: Mapping[ChannelName, Channel], after: timedelta
) -> bool:
    """Ask providers that can be asked.  Finding a message is proof; not finding it is none."""
    askable = {c.provider: c for c in channels.values() if c.facts.look_up is not None}
    async with connected(db) as connection:
        rows = await connection.fetch(SQL["take_unknowns"], list(askable), after, LOOK_UPS)
    for row in rows:
        if row["sealed"] is None:  # the address is gone: there is nothing to ask by
            continue
        seen = await _look_up(db, preparer, askable[row["provider"]], row)
        if seen is not None:
            async with transaction(db) as connection:
                await outbox.put(connection, (await observe(connection, [seen])).records)
    return len(rows) == LOOK_UPS


async def _look_up(db: Pool, preparer: Preparer, channel: Channel, row: Row) -> Seen | None:
    async with connected(db) as connection:
        refs = await connection.fetch(
            SQL["known_refs"], row["tenant"], row["contact_point_id"], row["attempt_id"]
        )
    try:
        ready = preparer.prepare(_as_claimed(row))
        ref = await channel.look_up(
            message_of(ready, 1),
            frozenset(row["provider_ref"] for row in refs),
            row["in_flight_at"] - CLOCKS_APART,
        )
    except Exception as error:
        log.get().warning("look_up_failed", provider=channel.provider, error=type(error).__name__)
        return None
    if ref is None or not is_reference(ref):
        return None
    return Seen(row["attempt_id"], "look_up", State.ACCEPTED, "found", ref)


def _as_claimed(row: Row) -> Claimed:
    """The attempt as it was sent: the same event and templates make the same text."""
    return Claimed(
        held=Held(row["attempt_id"], row["tenant"], row["epoch"]),
        emission=row["emission"],
        releases=(),
        allowed=decode_allowed(row["allowed"]),
        channel=ChannelName(row["channel"]),
        point=Point(row["contact_point_id"], PointKind.MOBILE, row["key_id"], row["sealed"]),
        leased_until=0.0,
    )
