"""Work addresses, stops on a place, and consents to certain hours, as the services know them."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.events.permits import Verdict
from services.events.stops import ConsentGiven
from services.policy.stop_problems import problems
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, pack, stop, who
from tests.policy_service.world import World

NOT_AT_WORK = (
    "{id: t-work, kind: stop_when, cite: [test], fact: no_work_contact, applies: {place: [work]}}"
)
NOT_THERE = "{id: t-place, kind: stop_when, cite: [test], fact: inconvenient_place}"
TWO_AT_WORK = (
    "{id: t-cap-work, kind: frequency_cap, cite: [test], max: 2, window: {days: 7},"
    " key: [person], counts: {places: [work]}, applies: {place: [work]}}"
)
UNLESS_AGREED = (
    '{id: t-lifted, kind: contact_window, cite: [test], hours: {daily: "08:00-21:00"},'
    " unless: [{consent: {to: contact_time}}]}"
)


def agreed(**hours: Any) -> ConsentGiven:
    """Ada may be reached outside the hours."""
    return ConsentGiven(
        tenant=TENANT,
        consent_id=uuid4(),
        borrower_id=who("ada"),
        to="contact_time",
        given_to="actor",
        received_at=AFTERNOON,
        **hours,
    )


async def verdict(world: World) -> Verdict:
    return (await world.redeem_one(await world.ready("ada"))).verdict


async def test_who_asked_not_to_be_reached_at_work_is_not(world: World) -> None:
    await world.rules(pack(WINDOW, NOT_AT_WORK))
    await world.person("ada")
    await world.send("stop.events", stop("ada", "no_work_contact"))
    assert await verdict(world) is Verdict.ALLOW
    await world.phone("ada", place="work", version=2)
    assert await verdict(world) is Verdict.SUPPRESS


async def test_a_stop_on_one_place_leaves_the_others_open(world: World) -> None:
    await world.rules(pack(WINDOW, NOT_THERE))
    await world.person("ada")
    await world.phone("ada", place="home", version=2)
    await world.send("stop.events", stop("ada", "inconvenient_place", places=("work",)))
    assert await verdict(world) is Verdict.ALLOW
    await world.send("stop.events", stop("ada", "inconvenient_place", places=("home",)))
    assert await verdict(world) is Verdict.SUPPRESS


async def test_what_was_sent_to_work_counts_as_sent_to_work(world: World) -> None:
    await world.rules(pack(WINDOW, TWO_AT_WORK))
    await world.person("ada")
    await world.phone("ada", place="work", version=2)
    assert [await verdict(world) for _ in range(3)] == [
        Verdict.ALLOW,
        Verdict.ALLOW,
        Verdict.DEFER,
    ]


async def test_leave_for_certain_hours_opens_no_others(world: World) -> None:
    await world.rules(pack(UNLESS_AGREED))
    await world.person("ada")
    await world.send("stop.events", agreed(from_clock="21:00", to_clock="22:30"))
    await world.at(AFTERNOON + timedelta(hours=8))  # 22:00 in New York
    assert await verdict(world) is Verdict.ALLOW
    await world.at(AFTERNOON + timedelta(hours=9))
    assert await verdict(world) is not Verdict.ALLOW


@pytest.mark.parametrize(
    ("hours", "field"),
    [
        ({"from_clock": "21:00"}, "to_clock"),
        ({"to_clock": "21:00"}, "from_clock"),
        ({"from_clock": "9pm", "to_clock": "22:00"}, "from_clock"),
        ({"from_clock": "21:00", "to_clock": "21:00"}, "to_clock"),
        ({"from_clock": "21:00", "to_clock": "22:00", "days": "always"}, "days"),
    ],
)
def test_hours_that_are_none_are_refused_by_field(hours: dict[str, str], field: str) -> None:
    assert [problem.field for problem in problems(agreed(**hours))] == [field]
