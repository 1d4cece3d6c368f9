"""What a permit leaves us: until when a message may be written, and for how long it is good."""

from datetime import datetime
from typing import NamedTuple

from services.events.permits import Redeemed
from services.notifier.channels import Deadline
from services.notifier.prepare import Ready

SHORTEST_VALIDITY_SECONDS = 1


class Permitted(NamedTuple):
    """Policy's yes; `allowed` of a Redeemed is complete by then."""

    ready: Ready
    answer: Redeemed
    send_by: datetime
    allowed_until: datetime
    valid_until: float  # allowed_until on the event loop's clock, rather early than late


def permitted_by(ready: Ready, answer: Redeemed, asked_at: float) -> Permitted | None:
    """A complete yes that leaves the provider time; a yes with a hole in it is no yes."""
    if not (answer.permit_id and answer.send_by and answer.allowed_until and answer.gate_now):
        return None
    left = (answer.allowed_until - answer.gate_now).total_seconds()
    # Business time and the loop's run alike; policy read its clock after we had asked.
    if left < SHORTEST_VALIDITY_SECONDS + 1:
        return None
    return Permitted(ready, answer, answer.send_by, answer.allowed_until, asked_at + left)


def shared_out(deadline: Deadline, valid_until: float, now: float) -> tuple[Deadline, int]:
    """When to write by, and the whole seconds that the provider then has: it counts them from when
    the message arrives, so they must fit behind a last byte that leaves as late as it may.  Of a
    short permit connecting gets half."""
    write_by = min(deadline.write_by, (now + valid_until) / 2)
    return deadline._replace(write_by=write_by), int(valid_until - write_by)
