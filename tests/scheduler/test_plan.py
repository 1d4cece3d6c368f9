"""`plan` and its local hours: examples on the nights that matter, and properties."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.events.words import Channel, Stage
from services.scheduler import cadence as cadences
from services.scheduler.cadence import Cadence, Step
from services.scheduler.places import zone_names
from services.scheduler.plan import (
    Installment,
    Loan,
    days_past_due,
    ladder,
    local_instant,
    plan,
)

STANDARD = cadences.load(cadences.SHIPPED)["standard"]
LOAN = Loan(tenant="acme", loan_id="L-1")
NEW_YORK = ZoneInfo("America/New_York")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
DUE = Installment(number=1, due_date=date(2026, 6, 15))

zones = st.sampled_from(sorted(zone_names())).map(ZoneInfo)
zone_sets = st.lists(zones, min_size=1, max_size=4, unique=True)
days = st.dates(date(1990, 1, 1), date(2070, 1, 1))
moments = st.integers(631_152_000, 3_155_760_000).map(lambda s: datetime.fromtimestamp(s, UTC))
clocks = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@st.composite
def ladders(draw: st.DrawFn) -> Cadence:
    numbers = sorted(draw(st.sets(st.integers(-40, 90), min_size=1, max_size=8)))
    return Cadence(
        name="any",
        valid_for=timedelta(days=draw(st.integers(1, 30))),
        steps=tuple(
            Step(
                days_from_due=number,
                at=draw(clocks),
                stage=Stage.DUE,
                channels=(Channel.SMS,),
                priority=1,
            )
            for number in numbers
        ),
    )


@pytest.mark.parametrize(
    ("zone", "day", "at", "instant"),
    [
        # Clocks go forward at 02:00: 02:30 never comes, 03:00 is the first instant after the gap.
        (NEW_YORK, date(2026, 3, 8), time(2, 30), datetime(2026, 3, 8, 7, tzinfo=UTC)),
        # Clocks go back at 02:00: 01:30 comes twice, the first time counts.
        (NEW_YORK, date(2026, 11, 1), time(1, 30), datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        # Lord Howe moves by half an hour.
        (
            ZoneInfo("Australia/Lord_Howe"),
            date(2026, 10, 4),
            time(2, 15),
            datetime(2026, 10, 3, 15, 30, tzinfo=UTC),
        ),
        # Samoa left out 30 December 2011 altogether.
        (
            ZoneInfo("Pacific/Apia"),
            date(2011, 12, 30),
            time(10),
            datetime(2011, 12, 30, 10, tzinfo=UTC),
        ),
        (
            ZoneInfo("Asia/Kathmandu"),
            date(2026, 1, 1),
            time(10),
            datetime(2026, 1, 1, 4, 15, tzinfo=UTC),
        ),
    ],
)
def test_a_local_hour_is_the_right_instant_on_an_odd_day(
    zone: ZoneInfo, day: date, at: time, instant: datetime
) -> None:
    assert local_instant(day, at, zone) == instant


@given(day=days, at=clocks, zone=zones)
def test_an_instant_shows_the_clock_asked_for_or_ends_the_gap_that_swallowed_it(
    day: date, at: time, zone: ZoneInfo
) -> None:
    instant = local_instant(day, at, zone)
    shown = instant.astimezone(zone)
    wall = datetime.combine(day, at)
    if shown.replace(tzinfo=None) == wall:
        assert shown.fold == 0
    else:
        assert shown.replace(tzinfo=None) > wall
        before = (instant - timedelta(seconds=1)).astimezone(zone)
        assert before.replace(tzinfo=None) < wall


def test_the_standard_ladder_stands_at_ten_in_new_york() -> None:
    made = plan(LOAN, DUE, STANDARD, [NEW_YORK], datetime(2026, 6, 1, tzinfo=UTC))
    assert [r.step for r in made][:4] == ["T-7", "T-3", "T-1", "T+0"]
    assert {r.due_at.astimezone(NEW_YORK).time() for r in made} == {time(10)}
    assert made[1].valid_until == made[2].due_at  # two days on comes T-1
    assert made[0].valid_until == made[0].due_at + timedelta(days=3)  # before T-3


def test_of_several_zones_the_latest_instant_counts() -> None:
    [first, *_] = ladder(LOAN, DUE, STANDARD, [NEW_YORK, LOS_ANGELES])
    assert first.due_at.astimezone(LOS_ANGELES).time() == time(10)
    assert first.zone == "America/Los_Angeles"


def test_a_loan_that_arrives_in_the_afternoon_keeps_that_days_step_and_no_earlier_one() -> None:
    afternoon = datetime(2026, 6, 12, 20, tzinfo=UTC)  # 16:00 in New York, T-3 was at 10:00
    assert [r.step for r in plan(LOAN, DUE, STANDARD, [NEW_YORK], afternoon)][:2] == ["T-3", "T-1"]
    next_day = datetime(2026, 6, 13, 4, 1, tzinfo=UTC)
    assert plan(LOAN, DUE, STANDARD, [NEW_YORK], next_day)[0].step == "T-1"


def test_a_later_cycle_has_only_steps_still_ahead() -> None:
    again = Installment(number=1, due_date=DUE.due_date, cycle=1)
    afternoon = datetime(2026, 6, 12, 20, tzinfo=UTC)
    assert plan(LOAN, again, STANDARD, [NEW_YORK], afternoon)[0].step == "T-1"


def test_days_past_due_are_counted_on_the_borrowers_calendar() -> None:
    evening = datetime(2026, 6, 16, 2, tzinfo=UTC)  # still the 15th in New York
    assert days_past_due(evening, "America/New_York", date(2026, 6, 15)) == 0
    assert days_past_due(evening, "Asia/Tokyo", date(2026, 6, 15)) == 1
    assert days_past_due(evening, "Asia/Tokyo", date(2026, 6, 30)) == 0


@settings(max_examples=150)
@given(due=days, where=zone_sets, cadence=ladders())
def test_nowhere_plausible_does_the_clock_show_less_than_the_steps_hour(
    due: date, where: list[ZoneInfo], cadence: Cadence
) -> None:
    installment = Installment(number=1, due_date=due)
    for step, reminder in zip(
        cadence.steps, ladder(LOAN, installment, cadence, where), strict=True
    ):
        wall = datetime.combine(due + timedelta(days=step.days_from_due), step.at)
        for zone in where:
            # A second pass shows an earlier reading again: it is the same night, later.
            shown = reminder.due_at.astimezone(zone).replace(tzinfo=None)
            assert shown >= wall or reminder.due_at > local_instant(wall.date(), step.at, zone)


@settings(max_examples=150)
@given(due=days, where=zone_sets, cadence=ladders())
def test_steps_follow_each_other_and_each_is_valid_until_the_next_at_most(
    due: date, where: list[ZoneInfo], cadence: Cadence
) -> None:
    made = ladder(LOAN, Installment(number=1, due_date=due), cadence, where)
    for before, after in pairwise(made):
        assert before.valid_until <= after.due_at or before.valid_until <= before.due_at
    for reminder in made:
        assert reminder.valid_until <= reminder.due_at + cadence.valid_for
    assert len({reminder.reminder_id for reminder in made}) == len(made)


@settings(max_examples=150)
@given(
    due=days,
    where=zone_sets,
    cadence=ladders(),
    now=moments,
    cycle=st.integers(0, 2),
)
def test_a_plan_is_the_part_of_the_ladder_that_is_still_true(
    due: date, where: list[ZoneInfo], cadence: Cadence, now: datetime, cycle: int
) -> None:
    installment = Installment(number=1, due_date=due, cycle=cycle)
    whole = ladder(LOAN, installment, cadence, where)
    made = plan(LOAN, installment, cadence, where, now)
    assert made == [reminder for reminder in whole if reminder in made]
    assert {r.reminder_id for r in whole if r.due_at > now} <= {r.reminder_id for r in made}
    for reminder in made:
        late = now - reminder.due_at
        assert late < timedelta(hours=25)  # the longest day
        assert late < timedelta(0) or (cycle == 0 and now < reminder.valid_until)


@given(due=days, number=st.integers(1, 500), cycle=st.integers(0, 5))
def test_the_same_step_has_the_same_id_and_another_cycle_another(
    due: date, number: int, cycle: int
) -> None:
    def ids(installment: Installment, zone: ZoneInfo) -> list[object]:
        return [r.reminder_id for r in ladder(LOAN, installment, STANDARD, [zone])]

    here = Installment(number=number, due_date=due, cycle=cycle)
    there = Installment(number=number, due_date=due, cycle=cycle + 1)
    assert ids(here, NEW_YORK) == ids(here, LOS_ANGELES)
    assert not set(ids(here, NEW_YORK)) & set(ids(there, NEW_YORK))
