"""When the clocks of some zones show something: found out a UTC day at a time, and remembered."""

from collections.abc import Callable

from services.policy.blocks.localtime import DAY
from services.policy.blocks.zones import Zones


class Stretches:
    """A `Timed` of what clocks show, for most questions are about the same few days.

    `shows(t)` may change only at an instant at which a clock of one of the zones shows one of
    `marks` (seconds since midnight, ascending), or jumps; it holds where that is true, and why it
    does (a code, say) counts as a change. Of more than `days` days it forgets all.
    """

    __slots__ = ("_days", "_known", "_marks", "_shows", "_zones")

    def __init__(
        self, shows: Callable[[int], str | bool], zones: Zones, marks: tuple[int, ...], *, days: int
    ) -> None:
        self._shows = shows
        self._zones = zones
        self._marks = marks
        self._days = days
        self._known: dict[int, tuple[tuple[int, bool], ...]] = {}

    def holds(self, t: int) -> bool:
        for end, shown in self._known.get(t // DAY) or self._explore(t // DAY):
            if t < end:
                return shown
        raise AssertionError("the stretches of a UTC day cover it")

    def changes(self, t: int) -> int:
        for end, _ in self._known.get(t // DAY) or self._explore(t // DAY):
            if t < end:
                return end
        raise AssertionError("the stretches of a UTC day cover it")

    def _explore(self, utc_day: int) -> tuple[tuple[int, bool], ...]:
        """The stretches of a UTC day, each with its end and whether it holds."""
        t, end = utc_day * DAY, utc_day * DAY + DAY
        stretches: list[tuple[int, bool]] = []
        before: str | bool | None = None
        while t < end:
            shown = self._shows(t)
            t = min(end, *(zone.next_mark(t, self._marks) for zone in self._zones))
            if shown == before:
                stretches.pop()
            stretches.append((t, bool(shown)))
            before = shown
        if len(self._known) >= self._days:
            self._known.clear()
        found = self._known[utc_day] = tuple(stretches)
        return found
