"""How fast a provider may be asked: a token bucket, and a brake for when it is down.  Pure."""

from typing import assert_never

from services.notifier.channels import (
    OUR_REASONS,
    Accepted,
    NotSent,
    Outcome,
    Rejected,
    Unknown,
)


class Pace:
    """Tokens at a rate a second, at most a second's worth saved up; instants are loop seconds."""

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = max(rate, 1.0)
        self._at = now

    def take(self, wanted: int, now: float) -> int:
        """How many of the wanted may go now; they are gone from the bucket."""
        self._refill(now)
        taken = min(wanted, int(self._tokens))
        self._tokens -= taken
        return taken

    def wait(self, now: float) -> float:
        """Seconds until one token is there."""
        self._refill(now)
        return 0.0 if self._tokens >= 1 else (1 - self._tokens) / self._rate

    def _refill(self, now: float) -> None:
        gained = (now - self._at) * self._rate
        self._tokens = min(self._tokens + gained, max(self._rate, 1.0))
        self._at = now


class Brake:
    """After a failure of the provider itself: wait, longer each time, then try with one message.

    While `failing` nothing else may leave before it is known what became of that one, and of those
    that were under way: a provider that hangs would be given one on every free connection.
    """

    FIRST_SECONDS = 0.5
    LONGEST_SECONDS = 30.0

    def __init__(self) -> None:
        self._failures = 0
        self._until = 0.0

    @property
    def failing(self) -> bool:
        """Nothing has worked since the last failure."""
        return self._failures > 0

    def hear(self, outcome: Outcome | None, now: float) -> None:
        """What became of a message; what never came to the provider says nothing of it."""
        match outcome:
            case None:
                pass
            case NotSent(why) if why in OUR_REASONS:
                pass
            case NotSent() | Unknown() | Rejected(stop_provider=True):
                self.failed(now)
            case Accepted() | Rejected():
                self.worked()
            case _:
                assert_never(outcome)

    def failed(self, now: float) -> None:
        """Failures of one wave count once."""
        if now >= self._until:
            pause = self.FIRST_SECONDS * 2 ** min(self._failures, 10)
            self._failures += 1
            self._until = now + min(pause, self.LONGEST_SECONDS)

    def worked(self) -> None:
        self._failures = 0
        self._until = 0.0

    def wait(self, now: float) -> float:
        return max(0.0, self._until - now)

    def limit(self, wanted: int) -> int:
        """All of the wanted, or a single probe."""
        return min(wanted, 1) if self.failing else wanted
