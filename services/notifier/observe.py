"""What a provider is seen to say, whenever and however often: kept once, applied upward only."""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from uuid import UUID

from services.events.codec import Record
from services.events.words import AttemptState as State
from services.notifier import contact_points
from services.notifier.receipts import receipt
from services.notifier.states import outcome_of, raised
from services.notifier.stops import record_opt_out
from services.notifier.store import SQL
from services.runtime.database import Connection
from services.runtime.queries import columns


class Seen(NamedTuple):
    """One thing a provider said of one attempt."""

    attempt_id: UUID
    source: Literal["answer", "callback", "look_up"]
    state: State
    status: str  # the provider's word for it
    provider_ref: str
    code: str | None = None
    spoils_point: bool = False  # it says that the contact point doesn't exist
    opted_out: bool = False  # it says that the person said stop to it


class Observed(NamedTuple):
    """What came of it."""

    records: list[Record]  # to be published
    known: frozenset[UUID]  # attempts that exist
    moved: frozenset[UUID]


async def observe(connection: Connection, batch: Sequence[Seen]) -> Observed:
    """Keep what is new, raise what it proves, and heed what it says of the contact point.

    Locks the attempts first: of an answer and a callback that come together neither is lost.
    """
    rows = {
        row["attempt_id"]: row
        for row in await connection.fetch(SQL["lock_attempts"], [s.attempt_id for s in batch])
    }
    known = [seen for seen in batch if seen.attempt_id in rows]
    new = await connection.fetch(
        SQL["observe"],
        *columns(
            (
                (
                    rows[s.attempt_id]["tenant"],
                    s.attempt_id,
                    s.source,
                    s.state,
                    s.status,
                    s.provider_ref,
                    s.code,
                )
                for s in known
            ),
            7,
        ),
    )
    fresh = {tuple(row) for row in new}
    states = {attempt_id: State(row["state"]) for attempt_id, row in rows.items()}
    raises, records, points, opted_out = {}, [], [], []
    for seen in known:
        if (seen.attempt_id, seen.source, seen.provider_ref, seen.status) not in fresh:
            continue
        row = rows[seen.attempt_id]
        # What is said of the contact point is true whatever has become of the attempt.
        if seen.spoils_point and seen.code is not None:
            points.append((row["tenant"], row["contact_point_id"], seen.code))
        if seen.opted_out:
            opted_out.append((row["tenant"], row["contact_point_id"], seen.attempt_id, row["at"]))
        state = raised(states[seen.attempt_id], seen.state)
        if state is None:
            continue
        states[seen.attempt_id] = state
        raises[seen.attempt_id] = (
            seen.attempt_id,
            row["tenant"],
            state,
            seen.provider_ref or None,
            seen.code,
        )
        records.append(receipt(row, state, code=seen.code, outcome=outcome_of(state)))
    for stop in sorted(opted_out):  # in one order everywhere, or two batches wait in a circle
        await record_opt_out(connection, *stop)
    if raises:
        await connection.execute(SQL["raise"], *columns(raises.values(), 5))
    if points:
        at = next(iter(rows.values()))["at"]
        records += await contact_points.spoil(connection, points, at)
    return Observed(records, frozenset(rows), frozenset(raises))
