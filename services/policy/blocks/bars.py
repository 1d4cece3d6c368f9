"""A bar: what one rule has to say about this contact as the clock moves. The kinds of rule make
them.

A bar is made for one question and asked about several instants, from `now` on, never earlier ones.
Rules that cannot block this contact at whatever hour make none, so an allow costs little.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from services.policy.blocks.localtime import ALWAYS, NEVER


class Bar(Protocol):
    """`blocks(t)`: does the rule block at `t`? `changes(t)`: a later instant; until then the answer
    and its code stay what they are at `t`. Being early only costs time, being late would be wrong.
    """

    def blocks(self, t: int) -> bool: ...

    def changes(self, t: int) -> int: ...

    def objection(self, t: int) -> "Objection":
        """What to say of a bar that blocks at `t`."""
        ...


class Objection(NamedTuple):
    """Why a rule blocks. `curable`: time alone cures it. `says(until)`: one sentence for a person;
    `until` is when this rule alone would allow, None if it does not within the horizon."""

    code: str
    curable: bool
    says: Callable[[int | None], str]


class Standing:
    """Blocks whatever the clock says: a fact must change, or a person must decide."""

    __slots__ = ("_objection",)

    def __init__(self, code: str, sentence: str) -> None:
        self._objection = Objection(code, False, lambda until: sentence)

    def blocks(self, t: int) -> bool:
        return True

    def changes(self, t: int) -> int:
        return NEVER

    def objection(self, t: int) -> Objection:
        return self._objection


ZONE_UNKNOWN = Standing(
    "zone_unknown",
    "Nobody knows in which time zone the borrower is, and this rule has to know the local time.",
)


class Before:
    """Blocks before `free_at`, then no more. `says(t, until)`: what is said of it at `t`."""

    __slots__ = ("_code", "_free_at", "_says")

    def __init__(self, free_at: int, code: str, says: Callable[[int, int | None], str]) -> None:
        self._free_at = free_at
        self._code = code
        self._says = says

    def blocks(self, t: int) -> bool:
        return t < self._free_at

    def changes(self, t: int) -> int:
        return self._free_at if t < self._free_at else NEVER

    def objection(self, t: int) -> Objection:
        return Objection(self._code, True, lambda until: self._says(t, until))


class Spans:
    """Instants for which something holds: inside any of several half-open intervals. The timed part
    of a condition.
    """

    __slots__ = ("_spans",)

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._spans = spans

    def holds(self, t: int) -> bool:
        for start, end in self._spans:  # noqa: SIM110 (faster than any() over a generator)
            if start <= t < end:
                return True
        return False

    def changes(self, t: int) -> int:
        return min((edge for span in self._spans for edge in span if edge > t), default=NEVER)


class Timed(Protocol):
    """Something that holds at some instants and not at others; `changes` as in Bar."""

    def holds(self, t: int) -> bool: ...

    def changes(self, t: int) -> int: ...


HOLDS = Spans([(ALWAYS, NEVER)])
