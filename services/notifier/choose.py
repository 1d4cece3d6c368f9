"""Which channel and contact point comes next?  Pure: push, SMS, e-mail, falling through on a no."""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import NamedTuple

from services.events.words import AttemptState as State
from services.events.words import Channel, PointKind

MAX_TRIES = 3  # of one contact point, when each "no" was of the kind that passes
BACKOFF_FACTOR = 4

KINDS: dict[Channel, PointKind] = {
    Channel.PUSH: PointKind.APP,
    Channel.SMS: PointKind.MOBILE,
    Channel.EMAIL: PointKind.EMAIL,
}
CHANNELS_OF: dict[PointKind, tuple[Channel, ...]] = {
    kind: tuple(channel for channel, k in KINDS.items() if k is kind) for kind in PointKind
}


class Point(NamedTuple):
    """A contact point that may be used, in the lender's order; `key_id` and `sealed` open it."""

    contact_point_id: str
    kind: PointKind
    key_id: str
    sealed: bytes


class Tried(NamedTuple):
    """A finished attempt of the same reminder."""

    state: State
    channel: Channel | None
    contact_point_id: str | None
    retryable: bool


def choose(
    channels: Sequence[Channel],
    configured: Collection[Channel],
    points: Sequence[Point],
    refused: Collection[str],
    history: Sequence[Tried],
) -> tuple[Channel, Point] | None:
    """The first channel and point without a definite no; None: the reminder has failed.

    `refused` are the contact points that policy said no to when it allowed the others.
    """
    for channel in channels:
        if channel not in configured:
            continue
        for point in points:
            if (
                point.kind is KINDS[channel]
                and point.contact_point_id not in refused
                and not _exhausted(channel, point.contact_point_id, history)
            ):
                return channel, point
    return None


def _exhausted(channel: Channel, contact_point_id: str, history: Sequence[Tried]) -> bool:
    tries = 0
    for tried in history:
        if (tried.channel, tried.contact_point_id) != (channel, contact_point_id):
            continue
        match tried.state:
            case State.REJECTED if not tried.retryable:
                return True
            case State.REJECTED | State.NOT_SENT:
                tries += 1
            case _:
                pass  # deferred, lapsed: nobody said no to this contact point
    return tries >= MAX_TRIES


def backoff(base: timedelta, releases: int) -> timedelta:
    """How long to wait before the next attempt, after so many that came to nothing."""
    factor: int = BACKOFF_FACTOR ** min(max(releases - 1, 0), 4)
    return base * factor
