"""What came of the flights, committed in batches: fenced by epoch, followed by what comes next."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple, assert_never

from services.events.codec import Record
from services.events.words import AttemptState as State
from services.events.words import Channel
from services.events.words import Outcome as ReminderOutcome
from services.notifier import contact_points
from services.notifier.channels import Accepted, NotSent, Outcome, Rejected, Unknown
from services.notifier.observe import Seen, observe
from services.notifier.receipts import receipt
from services.notifier.states import outcome_of
from services.notifier.stops import record_opt_out
from services.notifier.store import SQL, Held, Row
from services.notifier.succession import follow
from services.runtime import log, outbox
from services.runtime.crashpoints import reach
from services.runtime.database import Connection, Pool, transaction
from services.runtime.outbox import Outbox
from services.runtime.queries import columns

BATCH = 400
GROUP_SECONDS = 0.004
AGAIN_SECONDS = 0.5


class Completion(NamedTuple):
    """One flight and its end."""

    held: Held
    outcome: Outcome


class Completions:
    """Collects what senders report and writes it; nothing is dropped while the process lives."""

    def __init__(
        self, db: Pool, relay: Outbox, channels: Collection[Channel], retry_after: timedelta
    ) -> None:
        self._db = db
        self._relay = relay
        self._channels = channels
        self._retry_after = retry_after
        self._waiting: list[Completion] = []
        self._reported = asyncio.Event()

    def report(self, held: Held, outcome: Outcome) -> None:
        self._waiting.append(Completion(held, outcome))
        self._reported.set()

    async def run(self) -> None:
        """Write for ever.  A database that is away is waited for: the leases bound how long."""
        while True:
            await self._reported.wait()
            if len(self._waiting) < BATCH:
                await asyncio.sleep(GROUP_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Write what there is."""
        self._reported.clear()
        while self._waiting:
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            try:
                reach("notifier.before_completion")
                async with transaction(self._db) as connection:
                    await outbox.put(
                        connection,
                        await complete(connection, batch, self._channels, self._retry_after),
                    )
            except Exception as error:
                self._waiting = batch + self._waiting
                self._reported.set()
                log.get().warning("completion_failed", error=type(error).__name__, count=len(batch))
                await asyncio.sleep(AGAIN_SECONDS)
            except BaseException:
                self._waiting = batch + self._waiting
                raise
            else:
                self._relay.nudge()


async def complete(
    connection: Connection,
    batch: Sequence[Completion],
    channels: Collection[Channel],
    retry_after: timedelta,
) -> list[Record]:
    """Move the flights that are still ours; what a fenced one learned is kept as an observation."""
    given = {c.held.attempt_id: c for c in batch}
    rows = await connection.fetch(
        SQL["complete"],
        *columns(((*c.held, *_written(c.outcome)) for c in given.values()), 7),
    )
    moved = {row["attempt_id"] for row in rows}
    fenced = [_seen(c) for c in given.values() if c.held.attempt_id not in moved]
    records = (await observe(connection, fenced)).records if fenced else []
    nothing_sent = [r for r in rows if r["state"] in (State.REJECTED, State.NOT_SENT)]
    dead = [
        (row["tenant"], row["contact_point_id"], row["code"])
        for row in nothing_sent
        if _spoils(given[row["attempt_id"]].outcome)
    ]
    if dead:
        records += await contact_points.spoil(connection, dead, rows[0]["at"])
    for row in sorted(nothing_sent, key=_of_point):  # the order of `observe`
        if _opted_out(given[row["attempt_id"]].outcome):
            point = row["tenant"], row["contact_point_id"]
            await record_opt_out(connection, *point, row["attempt_id"], row["at"])
    reasons = await follow(connection, nothing_sent, channels, retry_after)
    return records + [_receipt(row, reasons.get(row["attempt_id"])) for row in rows]


def _of_point(row: Row) -> tuple[str, str]:
    return row["tenant"], row["contact_point_id"]


def _receipt(row: Row, failed: str | None) -> Record:
    state = State(row["state"])
    outcome = ReminderOutcome.FAILED if failed else outcome_of(state)
    return receipt(row, state, code=row["code"], outcome=outcome, reason=failed)


def _written(outcome: Outcome) -> tuple[State, str | None, str | None, bool | None]:
    """State, provider reference, code, retryable."""
    match outcome:
        case Accepted(ref):
            return State.ACCEPTED, ref, None, None
        case Rejected(code, retryable):
            return State.REJECTED, None, code, retryable
        case NotSent(why):
            return State.NOT_SENT, None, why, None
        case Unknown(why):
            return State.UNKNOWN, None, why, None
    assert_never(outcome)


def _seen(completion: Completion) -> Seen:
    state, ref, code, _ = _written(completion.outcome)
    held = completion.held
    return Seen(
        held.attempt_id,
        "answer",
        state,
        state,
        ref or "",
        code,
        spoils_point=_spoils(completion.outcome),
        opted_out=_opted_out(completion.outcome),
    )


def _spoils(outcome: Outcome) -> bool:
    return isinstance(outcome, Rejected) and outcome.suppress_point


def _opted_out(outcome: Outcome) -> bool:
    return isinstance(outcome, Rejected) and outcome.opted_out
