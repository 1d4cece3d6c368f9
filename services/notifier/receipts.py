"""The two things we tell of an attempt: that it may leave now, and each state it reaches.

Told within the transaction that makes it so, and counted once that is committed.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache

from prometheus_client import Counter

from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.deliveries import DeliveryAttempted, DeliveryReceipt
from services.events.words import AttemptState as State
from services.events.words import Channel, Outcome
from services.notifier.store import SOURCE, Row
from services.runtime.database import after_commit
from services.runtime.metrics import ATTEMPTS

# An intent that found no contact point to try reached no channel either, but its end must be told.
NOWHERE = "none"


@cache
def _counter(provider: str, state: State) -> Counter:
    return ATTEMPTS.labels(provider, state)


def receipt(
    row: Row,
    state: State,
    *,
    code: str | None = None,
    outcome: Outcome | None = None,
    reason: str | None = None,
) -> Record:
    """`row` is the attempt's, with `at`, business time; `outcome` if this settles the reminder."""
    provider = row["provider"] or NOWHERE
    after_commit(_counter(provider, state).inc)
    at: datetime = row["at"]
    return encode(
        DeliveryReceipt(
            tenant=row["tenant"],
            attempt_id=row["attempt_id"],
            reminder_id=row["reminder_id"],
            emission=row["emission"],
            borrower_id=row["borrower_id"],
            contact_point_id=row["contact_point_id"] or NOWHERE,
            channel=Channel(row["channel"] or Channel.SMS),
            provider=provider,
            state=state,
            at=at,
            code=code,
            outcome=outcome,
            reason=reason,
        ),
        source=SOURCE,
        key=borrower_key(row["tenant"], row["borrower_id"]),
        event_id=derived_id("receipt", row["attempt_id"], state),
        time=at,
    )


def attempted(attempt: DeliveryAttempted) -> Record:
    """The record that goes to the outbox with the commit of IN_FLIGHT."""
    after_commit(_counter(attempt.provider, State.IN_FLIGHT).inc)
    return encode(
        attempt,
        source=SOURCE,
        key=borrower_key(attempt.tenant, attempt.borrower_id),
        event_id=derived_id("attempted", attempt.attempt_id),
        time=attempt.attempted_at,
    )


def booked(rows: Sequence[Row]) -> list[Row]:
    """Of intents that ended: those that had a channel, so that policy may have booked them."""
    return [row for row in rows if row["channel"] is not None]
