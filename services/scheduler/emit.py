"""Claim the reminders whose hour has come and tell policy: the scheduler's clockwork."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from functools import partial

from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.reminders import ReminderDue
from services.events.words import Channel, Product, Role, Stage
from services.runtime import clock, log, metrics, outbox
from services.runtime.crashpoints import reach
from services.runtime.database import FAILED, Connection, Pool, after_commit, transaction
from services.runtime.outbox import Outbox
from services.scheduler import store_reminders
from services.scheduler.keys import Row
from services.scheduler.plan import days_past_due
from services.scheduler.refresh import SOURCE, count_settled

BATCH = 500
POLL_SECONDS = 0.1  # business time may be stepped: nobody may wait for it longer than this
SWEEP_SECONDS = 2.0  # from the head again, for what came to lie behind the cursor
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
ALIVE_SECONDS = 60.0

HEAD = datetime.min.replace(year=2000, tzinfo=UTC)


class Emitter:
    """The claiming loop of one process; any number of schedulers may run theirs."""

    def __init__(self, db: Pool, relay: Outbox) -> None:
        self._db = db
        self._relay = relay
        self._nudged = asyncio.Event()
        self._alive_at = time.monotonic()

    def nudge(self) -> None:
        """Business time was stepped, or something may be due at once."""
        self._nudged.set()

    def dead(self) -> str | None:
        """Liveness: the loop turns."""
        still = time.monotonic() - self._alive_at
        return f"claiming has stood for {still:.0f} s" if still > ALIVE_SECONDS else None

    async def run(self) -> None:
        """Claim for ever; a database that is away is waited for."""
        failures = 0
        while True:
            self._alive_at = time.monotonic()
            self._nudged.clear()
            try:
                await self._catch_up()
                failures = 0
            except FAILED as error:
                log.get().warning("claim_failed", error=type(error).__name__, retries=failures)
                await asyncio.sleep(BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)])
                failures += 1
            # Not wait_for: Python 3.11's swallows a cancellation that comes with the nudge.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._nudged.wait()

    async def _catch_up(self) -> None:
        """Batch after batch while they are full, each beginning where the last ended."""
        cursor, swept_at = HEAD, time.monotonic()
        while True:
            self._alive_at = time.monotonic()
            async with transaction(self._db) as connection:
                claimed, last = await emit_due(connection, cursor)
                if claimed:
                    reach("scheduler.before_emit_commit")
            if claimed:
                self._relay.nudge()
            if claimed < BATCH:
                if cursor == HEAD:
                    return
                last = None
            if last is None or time.monotonic() - swept_at > SWEEP_SECONDS:
                cursor, swept_at = HEAD, time.monotonic()
            else:
                cursor = last


async def emit_due(
    connection: Connection, cursor: datetime = HEAD, limit: int = BATCH
) -> tuple[int, datetime | None]:
    """Claim one batch and write its `reminder.due`; how many it took, and the last one's hour."""
    now = await clock.gate_now(connection)
    rows = await store_reminders.claim_due(connection, now, cursor, limit)
    if not rows:
        return 0, None
    reach("scheduler.claimed")
    due = [row for row in rows if row["status"] == "due"]
    await outbox.put(connection, [due_record(row, now) for row in due])
    after_commit(partial(metrics.EMITTED.inc, len(due)))
    count_settled("suppressed", len(rows) - len(due))
    return len(rows), rows[-1]["due_at"]


def due_record(row: Row, now: datetime) -> Record:
    """A claimed row as `ReminderDue`; days past due are counted on the borrower's calendar."""
    oldest = row["oldest_unpaid"] or row["due_date"]
    event = ReminderDue(
        tenant=row["tenant"],
        reminder_id=row["reminder_id"],
        emission=row["emission"],
        borrower_id=row["borrower_id"],
        loan_id=row["loan_id"],
        installment_number=row["installment_number"],
        cycle=row["cycle"],
        step=row["step"],
        days_from_due=row["days_from_due"],
        stage=Stage(row["stage"]),
        due_date=row["due_date"],
        due_at=row["due_at"],
        valid_until=row["valid_until"],
        priority=row["priority"],
        channels=tuple(Channel(name) for name in row["channels"]),
        locale=row["locale"],
        outstanding_minor=row["outstanding_minor"],
        currency=row["currency"],
        product=Product(row["product"]),
        role=Role(row["role"]),
        days_past_due=days_past_due(now, row["zone"], oldest),
        account=row["account"],
        creditor=row["creditor"],
    )
    return encode(
        event,
        source=SOURCE,
        key=borrower_key(event.tenant, event.borrower_id),
        event_id=derived_id("due", event.reminder_id, event.emission),
        time=now,
    )
