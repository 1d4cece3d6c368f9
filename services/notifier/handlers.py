"""What the notifier does with what it is told: allowed, cancelled, an address."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec

from services.events.addresses import ContactPointGiven
from services.events.codec import Envelope
from services.events.reminders import ReminderAllowed, ReminderCancelled
from services.events.words import AttemptState as State
from services.notifier import address_book
from services.notifier.address_book import Given
from services.notifier.addresses import (
    GivenAddress,
    InvalidAddress,
    Keyring,
    Unsealable,
    in_transit,
    normalise,
)
from services.notifier.receipts import booked, receipt
from services.notifier.store import SQL, NewAttempt, add_attempts, first_attempt_id
from services.runtime import clock, outbox
from services.runtime.consume import Rejection
from services.runtime.database import Connection
from services.runtime.identity import surrogate
from services.runtime.queries import columns

_encode = msgspec.json.Encoder().encode


class Keys(msgspec.Struct, frozen=True):
    """What names borrowers and opens addresses; never printed."""

    identity: bytes
    ring: Keyring

    def __repr__(self) -> str:
        return "Keys()"


async def on_reminder_allowed(
    connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """An intent a reminder; a higher emission re-arms it, from IN_FLIGHT on it is ignored."""
    newest: dict[tuple[str, object], ReminderAllowed] = {}
    for event in [e.event for e in batch if isinstance(e.event, ReminderAllowed)]:
        key = event.tenant, event.reminder_id
        if key not in newest or newest[key].emission < event.emission:
            newest[key] = event
    given = (
        (e.tenant, e.reminder_id, e.emission, e.borrower_id, _encode(e)) for e in newest.values()
    )
    rows = await connection.fetch(SQL["allow_reminders"], *columns(given, 5))
    taken = [newest[row["tenant"], row["reminder_id"]] for row in rows]
    again = [e for e in taken if e.emission > 1]
    if again:
        await connection.execute(
            SQL["rearm"],
            *columns(((e.tenant, e.reminder_id, e.emission, e.priority) for e in again), 4),
        )
    await add_attempts(
        connection,
        [
            NewAttempt(
                attempt_id=first_attempt_id(e.tenant, e.reminder_id, e.emission),
                tenant=e.tenant,
                reminder_id=e.reminder_id,
                emission=e.emission,
                borrower_id=e.borrower_id,
                priority=e.priority,
                releases=(),
                wait=timedelta(),
            )
            for e in taken
        ],
    )
    return ()


async def on_reminder_cancelled(
    connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """A tombstone, whatever arrives later; an intent ends, what is in flight stays."""
    cancelled = [e.event for e in batch if isinstance(e.event, ReminderCancelled)]
    events = {(event.tenant, event.reminder_id): event for event in cancelled}
    given = ((e.tenant, e.reminder_id, e.borrower_id, e.cancelled_at) for e in events.values())
    await connection.execute(SQL["cancel_reminders"], *columns(given, 4))
    rows = await connection.fetch(SQL["suppress_cancelled"], *columns(events, 2))
    # Policy may have booked an intent that was just being redeemed: this releases it.
    await outbox.put(
        connection, [receipt(row, State.SUPPRESSED, code="cancelled") for row in booked(rows)]
    )
    return ()


async def on_contact_point_given(
    keys: Keys, connection: Connection, batch: Sequence[Envelope]
) -> Sequence[Rejection]:
    """A sealed address is opened, normalised, sealed again at rest; no error names it."""
    rejections, given = [], []
    for envelope in batch:
        event = envelope.event
        if not isinstance(event, ContactPointGiven):
            continue
        try:
            address = normalise(_opened(keys.ring, event))
        except Unsealable as error:
            rejections.append(Rejection(envelope, "unsealable", str(error)))
        except InvalidAddress as error:
            rejections.append(Rejection(envelope, "invalid_address", error.problem))
        else:
            borrower_id = surrogate(keys.identity, event.tenant, "borrower", event.borrower_ref)
            given.append(Given(event.tenant, borrower_id, event.version, (address,), whole=False))
    if given:
        records, _ = await address_book.write(
            connection, keys.identity, keys.ring, given, await clock.gate_now(connection)
        )
        await outbox.put(connection, records)
    return rejections


def _opened(ring: Keyring, event: ContactPointGiven) -> GivenAddress:
    plain = ring.open(event.key_id, in_transit(event.tenant, event.borrower_ref), event.sealed)
    try:
        return msgspec.json.decode(plain, type=GivenAddress)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise Unsealable("what was sealed is not the JSON of a kind and a value") from None
