"""Where a local date ends, also in zones that skipped or repeated one."""

from datetime import UTC, datetime

import pytest

from services.policy.blocks.localtime import DAY, zone


@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("America/New_York", datetime(2026, 3, 8, tzinfo=UTC)),  # clocks forward
        ("America/New_York", datetime(2026, 11, 1, tzinfo=UTC)),  # clocks back
        ("America/Havana", datetime(2026, 11, 1, tzinfo=UTC)),  # back across midnight
        ("Pacific/Apia", datetime(2011, 12, 30, tzinfo=UTC)),  # a date left out
        ("Asia/Kathmandu", datetime(2026, 6, 1, tzinfo=UTC)),
    ],
)
def test_a_date_ends_at_the_first_instant_that_shows_another(name: str, around: datetime) -> None:
    here, middle = zone(name), int(around.timestamp())
    minutes = range(middle - 2 * DAY, middle + 3 * DAY, 60)
    for t in [*minutes[::7], *reversed(minutes[::11])]:  # forwards, backwards: it remembers one
        end = here.date_ends(t)
        assert t < end <= t + 2 * DAY
        assert here.day(end) != here.day(t)
        for within in range(t, end, 900):
            assert here.day(within) == here.day(t)
        assert here.day(end - 1) == here.day(t)
