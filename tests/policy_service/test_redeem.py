"""The second checkpoint: asked again at hand-off, booked, and never booked twice."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import pytest

from services.events.permits import Verdict
from services.events.words import AttemptState
from tests.policy_service.events import AFTERNOON, WINDOW, cap, pack, receipt, stop
from tests.policy_service.world import World

EVENING = AFTERNOON + timedelta(hours=6, minutes=59, seconds=55)  # 20:59:55 in New York


async def test_an_allowed_attempt_has_a_permit_and_a_booking(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    before = datetime.now(UTC)
    answer = await world.redeem_one(asked)
    assert answer.verdict is Verdict.ALLOW
    assert answer.send_by is not None
    assert before + timedelta(seconds=9) < answer.send_by < before + timedelta(seconds=12)
    assert answer.allowed_until == AFTERNOON + timedelta(hours=7)  # 21:00 in New York
    assert answer.gate_now == AFTERNOON
    [booking] = await world.rows("contacts")
    assert (booking["outcome"], booking["contact_id"]) == ("reserved", asked.attempt_id)
    [permit] = await world.rows("permits")
    assert permit["permit_id"] == answer.permit_id
    assert permit["rule_set"]


async def test_a_permit_ends_when_the_window_closes(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.at(EVENING)
    answer = await world.redeem_one(asked)
    assert answer.verdict is Verdict.ALLOW
    assert answer.allowed_until == EVENING + timedelta(seconds=5)
    assert answer.send_by is not None
    assert answer.send_by < datetime.now(UTC) + timedelta(seconds=5)


async def test_what_was_allowed_by_day_is_deferred_at_night(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.out()
    await world.at(EVENING + timedelta(seconds=5))
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.DEFER, "outside_contact_window")
    [event] = await world.out()
    assert (event["topic"], event["rule"]) == ("reminder.deferred", "t-hours")
    assert await world.rows("contacts") == []


async def test_a_repeat_never_books_twice_and_does_not_trip_over_itself(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    asked = await world.ready("ada")
    first, second = await world.redeem_one(asked), await world.redeem_one(asked)
    assert (first.verdict, second.verdict) == (Verdict.ALLOW, Verdict.ALLOW)
    assert first.permit_id == second.permit_id
    assert len(await world.rows("contacts")) == 1


async def test_a_repeat_that_is_refused_gives_its_booking_back(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.redeem_one(asked)
    await world.send("stop.events", stop("ada"))
    answer = await world.redeem_one(asked)
    assert (answer.verdict, answer.code) == (Verdict.SUPPRESS, "opted_out")
    [booking] = await world.rows("contacts")
    assert booking["outcome"] == "cancelled"


async def test_a_refused_emission_stays_refused(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.out()
    await world.at(EVENING + timedelta(seconds=5))
    first = await world.redeem_one(asked)
    await world.at(AFTERNOON + timedelta(days=1))
    second = await world.redeem_one(asked)
    assert (second.verdict, second.until) == (first.verdict, first.until)
    assert len(await world.out()) == 1


async def test_a_released_attempt_gives_its_place_to_the_next_channel(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    push = await world.ready("ada")
    await world.redeem_one(push)
    sms = msgspec.structs.replace(push, attempt_id=uuid4())
    released = msgspec.structs.replace(sms, releases=(push.attempt_id,))
    assert (await world.redeem_one(released)).verdict is Verdict.ALLOW


async def test_only_attempts_of_the_same_reminder_can_be_released(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    first, other = await world.ready("ada"), await world.ready("ada")
    await world.redeem_one(first)
    greedy = msgspec.structs.replace(other, releases=(first.attempt_id,))
    assert (await world.redeem_one(greedy)).verdict is Verdict.DEFER


async def test_allows_earlier_in_a_batch_count_for_later_ones_by_priority(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    low, high = await world.ready("ada", priority=9), await world.ready("ada", priority=1)
    answers = await world.redeem(low, high)
    assert [a.attempt_id for a in answers] == [low.attempt_id, high.attempt_id]
    assert [a.verdict for a in answers] == [Verdict.DEFER, Verdict.ALLOW]


async def test_a_booking_counts_until_its_attempt_is_known_not_to_have_left(world: World) -> None:
    await world.rules(pack(WINDOW, cap(1, "person")))
    await world.person("ada")
    first = await world.ready("ada")
    await world.redeem_one(first)
    assert (await world.redeem_one(await world.ready("ada"))).verdict is Verdict.DEFER
    await world.send("delivery.receipt", receipt(first, AttemptState.NOT_SENT))
    assert (await world.redeem_one(await world.ready("ada"))).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    ("states", "outcome"),
    [
        ([AttemptState.ACCEPTED], "sent"),
        ([AttemptState.DELIVERED, AttemptState.ACCEPTED], "delivered"),
        ([AttemptState.UNKNOWN], "unknown"),
        ([AttemptState.UNKNOWN, AttemptState.ABANDONED, AttemptState.ACCEPTED_LATE], "sent"),
        ([AttemptState.REJECTED], "cancelled"),
        ([AttemptState.LAPSED, AttemptState.DELIVERED], "delivered"),
        ([AttemptState.DELIVERED, AttemptState.BOUNCED, AttemptState.UNDELIVERED], "bounced"),
        ([AttemptState.ACCEPTED, AttemptState.REJECTED], "sent"),
        ([AttemptState.INTENT, AttemptState.IN_FLIGHT], "reserved"),
    ],
)
async def test_outcomes_move_only_upward(
    world: World, states: list[AttemptState], outcome: str
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    asked = await world.ready("ada")
    await world.redeem_one(asked)
    for state in states:
        await world.send("delivery.receipt", receipt(asked, state))
        await world.send("delivery.receipt", receipt(asked, state))
    [contact] = await world.rows("contacts")
    assert contact["outcome"] == outcome
