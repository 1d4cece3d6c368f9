"""What follows an attempt of which nothing was sent: another one, through the gate, or the end."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from uuid import UUID

from services.events.words import Channel
from services.notifier.choose import backoff, choose
from services.notifier.claims import points_of
from services.notifier.store import (
    NewAttempt,
    Row,
    add_attempts,
    decode_allowed,
    fail_reminders,
    history,
    next_attempt_id,
    reminders_of,
)
from services.runtime.database import Connection


async def follow(
    connection: Connection,
    ended: Sequence[Row],
    channels: Collection[Channel],
    retry_after: timedelta,
) -> dict[UUID, str]:
    """Add the next attempt of each ended one; by attempt id, the reason where there is none left.

    The rows are already in their closed states, so that they count as history.  A cancelled
    reminder gets neither a successor nor an outcome: whoever cancelled it knows.
    """
    keys = [(row["tenant"], row["reminder_id"]) for row in ended]
    if not keys:
        return {}
    reminders = await reminders_of(connection, keys)
    points = await points_of(connection, [(row["tenant"], row["borrower_id"]) for row in ended])
    tried = await history(connection, keys)
    successors, failed = [], {}
    for row, key in zip(ended, keys, strict=True):
        reminder = reminders[key]
        if reminder["cancelled_at"] or reminder["failed_at"]:
            continue
        allowed = decode_allowed(reminder["allowed"])
        mine = points.get((row["tenant"], row["borrower_id"]), ())
        refused = allowed.refused_contact_points
        chosen = choose(allowed.channels, channels, mine, refused, tried.get(key, ()))
        if chosen is None:
            failed[row["attempt_id"]] = row["state"]
            continue
        same_point = (row["channel"], row["contact_point_id"]) == (
            chosen[0],
            chosen[1].contact_point_id,
        )
        successors.append(_successor(row, reminder, same_point, retry_after))
    await add_attempts(connection, successors)
    await fail_reminders(
        connection,
        [
            (row["tenant"], row["reminder_id"], failed[row["attempt_id"]])
            for row in ended
            if row["attempt_id"] in failed
        ],
    )
    return failed


def _successor(row: Row, reminder: Row, same_point: bool, retry_after: timedelta) -> NewAttempt:
    """Falling through to another contact point needs no waiting, trying the same one again does."""
    releases = (*row["releases"], row["attempt_id"])
    return NewAttempt(
        attempt_id=next_attempt_id(row["attempt_id"]),
        tenant=row["tenant"],
        reminder_id=row["reminder_id"],
        emission=reminder["emission"],
        borrower_id=row["borrower_id"],
        priority=row["priority"],
        releases=releases,
        wait=backoff(retry_after, len(releases)) if same_point else timedelta(),
    )
