"""The last steps, in the only safe order: redeem, commit IN_FLIGHT, look at the clock, socket.

Rate token and connection are already ours when this begins.  A crash before the commit leaves an
intent, which is taken over; after it, a flight whose lease expires into UNKNOWN.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, get_args

from services.events.codec import Record
from services.events.deliveries import DeliveryAttempted
from services.events.permits import Verdict
from services.events.words import AttemptState as State
from services.events.words import Channel as ChannelName
from services.notifier.channels import OUR_REASONS, Channel, Deadline, NotSent, Outcome
from services.notifier.channels.call import call
from services.notifier.completions import Completions
from services.notifier.gate import Gate, NoAnswer, Reason
from services.notifier.grounded import ground
from services.notifier.permitted import (
    SHORTEST_VALIDITY_SECONDS,
    Permitted,
    permitted_by,
    shared_out,
)
from services.notifier.prepare import Ready, message_of, redeem_of
from services.notifier.receipts import attempted, booked, receipt
from services.notifier.store import SQL, Held, put_back, refuse
from services.runtime import log, outbox
from services.runtime.crashpoints import reach
from services.runtime.database import Pool, connected, transaction
from services.runtime.metrics import ATTEMPTS, PERMITS_MISSING, start_at_zero
from services.runtime.outbox import Outbox
from services.runtime.queries import columns

# P5: a flight reaches the provider within 10 s of its commit.
WIRE_SECONDS = 8.0
LEASE_MARGIN_SECONDS = 4.0
NO_ANSWER_WAIT = timedelta(seconds=1)


class Flight(NamedTuple):
    """In flight on record: it may be written once."""

    ready: Ready
    valid_until: float
    deadline: Deadline


class HandOff:
    """One channel's hand-off; `release` gives a connection back, once a message."""

    def __init__(
        self,
        *,
        db: Pool,
        gate: Gate,
        relay: Outbox,
        completions: Completions,
        name: ChannelName,
        channel: Channel,
        channels: Collection[ChannelName],
        retry_after: timedelta,
    ) -> None:
        self._db = db
        self._gate = gate
        self._relay = relay
        self._completions = completions
        self._name = name
        self._channel = channel
        self._channels = channels
        self._retry_after = retry_after
        self._seldom = log.Seldom()
        start_at_zero(ATTEMPTS, [channel.provider], State)
        start_at_zero(PERMITS_MISSING, get_args(Reason))
        self._flights: set[asyncio.Task[None]] = set()

    async def carry(
        self, batch: Sequence[Ready], release: Callable[[Outcome | None], None]
    ) -> None:
        """Redeem a batch and send what may leave; `release` hears each outcome, or None."""
        landed = len(batch)
        try:
            flown = await self._fly(batch)
            landed -= len(flown)
            for flight in flown:
                sending = asyncio.create_task(self._send(flight, release))
                self._flights.add(sending)
                sending.add_done_callback(self._flights.discard)
                sending.add_done_callback(log_failure)
        finally:
            for _ in range(landed):
                release(None)

    async def landed(self) -> None:
        """Every flight is over: each ends by its own deadline."""
        while self._flights:
            await asyncio.wait(self._flights)

    async def _fly(self, batch: Sequence[Ready]) -> list[Flight]:
        asked_at = asyncio.get_running_loop().time()
        try:
            answers = await self._gate.redeem([redeem_of(ready) for ready in batch])
        except NoAnswer as error:
            PERMITS_MISSING.labels(error.reason).inc(len(batch))
            self._seldom.warning(
                "no_permit", reason=error.reason, error=error.detail, count=len(batch)
            )
            await self._put_back([ready.claimed.held for ready in batch], NO_ANSWER_WAIT)
            return []
        reach("notifier.redeemed")
        permitted: list[Permitted] = []
        expired: list[Ready] = []
        refusals: list[tuple[Held, str, str | None]] = []
        for ready in batch:
            answer = answers[ready.claimed.held.attempt_id]
            match answer.verdict:
                case Verdict.ALLOW:
                    yes = permitted_by(ready, answer, asked_at)
                    if yes is None:
                        expired.append(ready)
                    else:
                        permitted.append(yes)
                case Verdict.SUPPRESS:
                    refusals.append((ready.claimed.held, State.SUPPRESSED, answer.code))
                case Verdict.DEFER:
                    refusals.append((ready.claimed.held, State.DEFERRED, answer.code))
        return await self._commit(permitted, refusals, expired)

    async def _commit(
        self,
        permitted: Sequence[Permitted],
        refusals: Sequence[tuple[Held, str, str | None]],
        expired: Sequence[Ready],
    ) -> list[Flight]:
        """One transaction for the whole answer; if its commit is in doubt nothing is sent."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        by_id = {p.ready.claimed.held.attempt_id: p for p in permitted}
        try:
            async with transaction(self._db) as connection:
                rows = await connection.fetch(
                    SQL["fly"],
                    *columns(
                        (
                            (
                                *p.ready.claimed.held,
                                p.ready.claimed.point.contact_point_id,
                                p.answer.permit_id,
                                p.send_by,
                                p.allowed_until,
                            )
                            for p in permitted
                        ),
                        7,
                    ),
                    timedelta(seconds=WIRE_SECONDS),
                    timedelta(seconds=LEASE_MARGIN_SECONDS),
                )
                refused = await refuse(connection, refusals)
                await outbox.put(
                    connection,
                    [self._attempted(by_id[row["attempt_id"]], row["at"]) for row in rows]
                    + [
                        receipt(row, State(row["state"]), code=row["code"])
                        for row in booked(refused)
                    ],
                )
        except Exception as error:
            log.get().warning("flight_in_doubt", error=type(error).__name__, count=len(permitted))
            await self._call_back([p.ready.claimed.held for p in permitted])
            return []
        reach("notifier.in_flight_committed")
        self._relay.nudge()
        flown = [
            Flight(
                by_id[row["attempt_id"]].ready,
                by_id[row["attempt_id"]].valid_until,
                Deadline(
                    # Measured from before the transaction: earlier than the database means it.
                    write_by=began + min(row["remaining"].total_seconds(), WIRE_SECONDS),
                    end_by=began + WIRE_SECONDS,
                ),
            )
            for row in rows
        ]
        gone = {flight.ready.claimed.held.attempt_id for flight in flown}
        grounded = [p.ready for p in permitted if p.ready.claimed.held.attempt_id not in gone]
        if grounded or expired:
            await self._ground([r.claimed.held for r in (*grounded, *expired)])
        return flown

    async def _send(self, flight: Flight, release: Callable[[Outcome | None], None]) -> None:
        outcome: Outcome | None = None
        try:
            now = asyncio.get_running_loop().time()
            deadline, valid_seconds = shared_out(flight.deadline, flight.valid_until, now)
            if valid_seconds < SHORTEST_VALIDITY_SECONDS:
                outcome = NotSent("permit_expires")
            else:
                message = message_of(flight.ready, valid_seconds)
                outcome = await call(self._channel, message, deadline)
            reach("notifier.answered")
            self._tell(outcome)
            self._completions.report(flight.ready.claimed.held, outcome)
        finally:
            release(outcome)

    def _tell(self, outcome: Outcome) -> None:
        """Whoever looks at the log learns that a provider is away, not which messages it cost."""
        if isinstance(outcome, NotSent) and outcome.why not in OUR_REASONS:
            self._seldom.warning(
                "provider_unreachable",
                channel=self._name,
                provider=self._channel.provider,
                code=outcome.why,
            )

    async def _call_back(self, held: Sequence[Held]) -> None:
        """Which of these are in flight after all?  Nothing of them was written, and we know it."""
        try:
            async with connected(self._db) as connection:
                rows = await connection.fetch(SQL["still_flying"], *columns(held, 3))
        except Exception as error:
            # Their leases will expire: unknown, which is right for what nobody knows.
            log.get().error("flight_left", error=type(error).__name__, count=len(held))
            return
        flying = {row["attempt_id"] for row in rows}
        for one in held:
            if one.attempt_id in flying:
                self._completions.report(one, NotSent("commit_in_doubt"))
        await self._put_back([h for h in held if h.attempt_id not in flying], NO_ANSWER_WAIT)

    async def _ground(self, held: Sequence[Held]) -> None:
        """Permitted, but it may not leave: send_by passed, or its contact point was blocked."""
        try:
            async with transaction(self._db) as connection:
                records = await ground(connection, held, self._channels, self._retry_after)
                await outbox.put(connection, records)
        except Exception as error:
            # Still intents: their claims expire and they are redeemed again under their ids.
            log.get().warning("grounding_failed", error=type(error).__name__, count=len(held))
        else:
            self._relay.nudge()

    async def _put_back(self, held: Sequence[Held], wait: timedelta) -> None:
        try:
            await put_back_now(self._db, held, wait)
        except Exception as error:
            log.get().warning("put_back_failed", error=type(error).__name__, count=len(held))

    def _attempted(self, permitted: Permitted, at: datetime) -> Record:
        claimed = permitted.ready.claimed
        return attempted(
            DeliveryAttempted(
                tenant=claimed.held.tenant,
                attempt_id=claimed.held.attempt_id,
                reminder_id=claimed.allowed.reminder_id,
                emission=claimed.emission,
                borrower_id=claimed.allowed.borrower_id,
                contact_point_id=claimed.point.contact_point_id,
                channel=self._name,
                provider=self._channel.provider,
                attempted_at=at,
            )
        )


def log_failure(task: asyncio.Task[None]) -> None:
    """A task that nobody awaits must not fail unseen; its leases sort out what it held."""
    if not task.cancelled() and (error := task.exception()):
        log.get().error("hand_off_failed", error=type(error).__name__)


async def put_back_now(db: Pool, held: Sequence[Held], wait: timedelta) -> None:
    if held:
        async with connected(db) as connection:
            await put_back(connection, held, wait)
