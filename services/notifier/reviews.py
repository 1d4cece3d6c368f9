"""Stops taken from a message in doubt: listed, and confirmed or lifted by a person with a reason.

The stop binds meanwhile.  What is kept is where to find the message, never what it says.
"""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from services.runtime import clock, metrics, queries
from services.runtime.database import Connection, Pool, connected
from services.runtime.web import Problem

SQL = queries.load(Path(__file__).with_name("reviews.sql"))

MOST = 1_000

# Not blank, free of NUL and of line breaks.
Said = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[^\x00\r\n]*\S[^\x00\r\n]*\Z")]
Settlement = Literal["confirmed", "lifted"]


class Settling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who looked at the message, and why the stop stays or goes."""

    by: Said
    reason: Said


class ReviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it."""

    review_id: UUID
    settled_as: str
    settled_by: str
    settled_at: datetime
    still_blocked: bool  # another stop of the same contact point is in force


async def waiting(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """What nobody has looked at yet, oldest first."""
    return [dict(row) for row in await connection.fetch(SQL["open_reviews"], tenant, MOST)]


async def measure(db: Pool) -> bool:
    """How many wait, of all tenants; a sweep."""
    async with connected(db) as connection:
        metrics.OPEN_REVIEWS.set(await connection.fetchval(SQL["count_open_reviews"]))
    return False


async def settled(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """What was settled, by whom and why, newest first."""
    return [dict(row) for row in await connection.fetch(SQL["settled_reviews"], tenant, MOST)]


async def settle(
    connection: Connection, tenant: str, review_id: UUID, settling: Settling, how: Settlement
) -> ReviewAnswer:
    """In one transaction.  Lifted: this message's stop ends here, and at policy when it is told;
    other stops of the contact point stay.  The same settlement again changes nothing.

    Raises Problem 404 if the tenant has no such review, 409 if it was settled otherwise.
    """
    await connection.execute(SQL["lock_review"], tenant, review_id)
    review = await connection.fetchrow(SQL["review"], tenant, review_id)
    if review is None:
        raise Problem(404, "no_such_review", "this tenant has no review of that id")
    now = await clock.gate_now(connection)
    if review["settled_at"] is None:
        await connection.execute(
            SQL["settle"], tenant, review_id, how, settling.by, settling.reason, now
        )
        if how == "lifted":
            await connection.execute(SQL["end_reply"], tenant, review_id, now)
            await connection.execute(SQL["end_stops_of_reply"], tenant, review_id, now, settling.by)
    elif review["settled_as"] != how:
        raise Problem(409, "already_settled", f"this was {review['settled_as']} before")
    point = review["contact_point_id"]
    unblocked = how == "lifted" and await connection.fetchval(
        SQL["unblock_unless_stopped_again"], tenant, point
    )
    return ReviewAnswer(
        review_id=review_id,
        settled_as=how,
        settled_by=review["settled_by"] or settling.by,
        settled_at=review["settled_at"] or now,
        still_blocked=not unblocked,
    )
