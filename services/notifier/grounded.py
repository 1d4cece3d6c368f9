"""Permits that came to nothing: the attempt lapses or is suppressed, and the next one is added."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from services.events.codec import Record
from services.events.words import AttemptState as State
from services.events.words import Channel, Outcome
from services.notifier.receipts import receipt
from services.notifier.store import SQL, Held, Row, refuse
from services.notifier.succession import follow
from services.runtime.database import Connection
from services.runtime.queries import columns


async def ground(
    connection: Connection,
    held: Sequence[Held],
    channels: Collection[Channel],
    retry_after: timedelta,
) -> list[Record]:
    """End these intents, if they are still ours; the receipts release what policy booked."""
    rows = await connection.fetch(SQL["why_grounded"], *columns(held, 3))
    why = {row["attempt_id"]: row for row in rows}
    ended = await refuse(
        connection,
        [(one, *_end(why[one.attempt_id])) for one in held if one.attempt_id in why],
    )
    reasons = await follow(connection, ended, channels, retry_after)
    return [
        receipt(
            row,
            State(row["state"]),
            code=row["code"],
            outcome=Outcome.FAILED if row["attempt_id"] in reasons else None,
            reason=row["code"] if row["attempt_id"] in reasons else None,
        )
        for row in ended
    ]


def _end(row: Row) -> tuple[State, str]:
    if row["blocked"]:
        return State.SUPPRESSED, "opt_out"
    if row["unusable"]:
        return State.SUPPRESSED, "unusable"
    return State.LAPSED, "send_by_passed"
