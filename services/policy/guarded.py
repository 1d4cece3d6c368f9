"""When a rule counts: it is in force, a stop it asks for is live, and nothing lifts it."""

from services.policy.blocks.bars import Bar, Spans, Timed
from services.policy.blocks.conditions import Lift
from services.policy.blocks.localtime import ALWAYS, DAY, NEVER, day_number
from services.policy.blocks.stops import covering, life, needs_zone, possible_life
from services.policy.blocks.zones import Zones
from services.policy.question import Question
from services.policy.rule import Effective

Dates = tuple[int, int]  # first and last local date


class Guarded:
    """A bar that counts only while the rule is in force and applies, and nothing lifts it."""

    __slots__ = (
        "_asked",
        "_bar",
        "_lifting",
        "_lifts",
        "_question",
        "_zones",
        "objection",
    )

    def __init__(
        self, bar: Bar, asked: list[Timed], lifts: list[Lift], question: Question, zones: Zones
    ) -> None:
        self._bar = bar
        self._asked = asked
        self._lifts = lifts
        self._lifting: list[Timed] | None = None
        self._question = question
        self._zones = zones
        self.objection = bar.objection

    def blocks(self, t: int) -> bool:
        # Loops, for all() and any() over generators cost three times as much.
        if not self._bar.blocks(t):
            return False
        for timed in self._asked:
            if not timed.holds(t):
                return False
        for timed in self._bound():  # noqa: SIM110
            if timed.holds(t):
                return False
        return True

    def changes(self, t: int) -> int:
        earliest = self._bar.changes(t)
        if not self._bar.blocks(t):
            return earliest  # until then nothing is barred that could be lifted
        for timed in (*self._asked, *self._bound()):
            earliest = min(earliest, timed.changes(t))
        return earliest

    def quiet(self, t: int) -> str | None:
        """Why the rule says nothing at `t` though its kind alone would block: `not_in_force`, or
        `lifted` by a condition; None if it has no such reason.
        """
        if not self._bar.blocks(t):
            return None
        if any(not timed.holds(t) for timed in self._asked):
            return "not_in_force"
        return "lifted" if any(timed.holds(t) for timed in self._bound()) else None

    def _bound(self) -> list[Timed]:
        """The conditions for this question; looked into only when the bar objects."""
        if self._lifting is None:
            self._lifting = [
                timed
                for one in self._lifts
                if (timed := one(self._question, self._zones, ())) is not None
            ]
        return self._lifting


def common_dates(own: Effective | None, pack: Effective | None) -> Dates | None:
    """The local dates inside both; None if neither limits them."""
    if own is None and pack is None:
        return None
    limits = [each for each in (own, pack) if each is not None]
    first = max([day_number(e.from_) for e in limits if e.from_ is not None], default=ALWAYS)
    last = min([day_number(e.to) for e in limits if e.to is not None], default=NEVER)
    return first, last


def in_force(dates: Dates, zones: Zones) -> Spans:
    """While the local date is inside, in any zone; without a zone the date in UTC."""
    first, last = dates
    if first > last:
        return Spans([])
    starts = [zone.starts for zone in zones] or [lambda day: day * DAY]
    return Spans(
        [
            (
                start(first) if first != ALWAYS else ALWAYS,
                start(last + 1) if last != NEVER else NEVER,
            )
            for start in starts
        ]
    )


def stopped(kinds: frozenset[str], question: Question, zones: Zones) -> Spans:
    """While a stop of these kinds that covers the contact is live, in any zone; if that can't be
    told without a zone, as long as it may be.
    """
    spans: list[tuple[int, int]] = []
    for stop in covering(question, kinds):
        if not zones and needs_zone(stop):
            lives = [possible_life(stop)]
        else:
            lives = [life(stop, zone) for zone in zones or (None,)]
        spans.extend((each.begins, each.ends) for each in lives)
    return Spans(spans)
