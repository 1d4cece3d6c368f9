"""How far an attempt has come: receipts only move upward, and what a state means for others."""

from services.events.words import AttemptState as State
from services.events.words import Outcome

# Every state that isn't here is a closed "nothing was sent": no later word of a provider moves it.
RANK: dict[State, int] = {
    State.IN_FLIGHT: 1,
    State.UNKNOWN: 2,
    State.ABANDONED: 3,
    State.ACCEPTED: 4,
    State.ACCEPTED_LATE: 4,
    State.EXPIRED: 5,
    State.UNDELIVERED: 5,
    State.BOUNCED: 5,
    State.DELIVERED: 6,
}
PROOFS = frozenset(state for state, rank in RANK.items() if rank >= RANK[State.ACCEPTED])
"""States that prove that the provider took the message."""


def raised(now: State, seen: State) -> State | None:
    """The state after a provider was seen to say `seen`; None if that moves nothing.

    After ABANDONED any proof makes ACCEPTED_LATE first: the reminder was reported as failed, and
    that is what has to be corrected.
    """
    if now not in RANK or seen not in PROOFS or RANK[seen] <= RANK[now]:
        return None
    return State.ACCEPTED_LATE if now is State.ABANDONED else seen


def outcome_of(state: State) -> Outcome | None:
    """What an attempt's state alone says of its reminder."""
    if state in PROOFS:
        return Outcome.SENT
    return Outcome.FAILED if state is State.ABANDONED else None
