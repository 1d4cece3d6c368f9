"""Flights without an answer, crashes and permits that ran out: nothing is sent twice."""

import asyncio
from datetime import timedelta

import pytest

from services.events.words import Channel
from tests.notifier.test_states import PHONE, everywhere, states
from tests.notifier.world import PATIENCE_SECONDS, World, allowed


async def test_an_unknown_outcome_is_never_sent_again_and_ends_as_failed(world: World) -> None:
    await world.start(DUNWELL_ABANDON_SECONDS="1", DUNWELL_LOOK_UP_SECONDS="60")
    world.http.lies.append("reset_after")
    event = allowed(await everywhere(world), Channel.SMS, Channel.EMAIL)
    await world.publish(event)
    await world.until_state(event.reminder_id, "unknown")
    await world.until_state(event.reminder_id, "abandoned")
    assert await states(world, event) == [("sms", "abandoned")]
    assert len(world.http.requests) == 1
    assert world.mail.mails == []
    assert await world.receipts(event.reminder_id) == [
        ("unknown", None, None),
        ("abandoned", "failed", "outcome_unknown"),
    ]


async def test_a_provider_that_answers_nothing_of_use_does_not_get_the_whole_queue(
    world: World,
) -> None:
    await world.start(DUNWELL_SMS_CONNECTIONS="2", DUNWELL_LOOK_UP_SECONDS="60")
    world.http.lies_by_to[PHONE] = "status:503:"
    borrower = await everywhere(world)
    events = [allowed(borrower) for _ in range(40)]
    await world.publish(*events)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(world.http.requests) < 3:
            await asyncio.sleep(0.02)
    # The brake doubles its pauses: the time that this test may take is enough for a few.
    assert len(world.http.requests) < 20
    world.http.lies_by_to.clear()
    for event in events:
        await world.until_state(event.reminder_id, "accepted", "unknown")
    assert len(world.http.requests) == 40


async def test_after_a_failure_one_message_tries_and_the_others_wait_for_what_becomes_of_it(
    world: World,
) -> None:
    await world.start(DUNWELL_LOOK_UP_SECONDS="60")
    borrower = await everywhere(world)
    failing = allowed(borrower)
    world.http.lies.append("status:503:")
    await world.publish(failing)
    await world.until_state(failing.reminder_id, "unknown")
    world.http.answering.clear()
    events = [allowed(borrower) for _ in range(20)]
    await world.publish(*events)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(world.http.requests) < 2:
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.5)
    assert len(world.http.requests) == 2
    world.http.answering.set()
    for event in events:
        await world.until_state(event.reminder_id, "accepted")


async def test_an_expired_lease_is_unknown_and_the_late_answer_only_an_observation(
    world: World,
) -> None:
    # No look-up in between: it could find the message just before its answer comes.
    await world.start(DUNWELL_LOOK_UP_SECONDS="60")
    world.http.answering.clear()
    event = allowed(await everywhere(world))
    await world.publish(event)
    await world.until_state(event.reminder_id, "in_flight")
    await world.owner.execute("UPDATE notifier.attempts SET lease_until = now() - interval '1s'")
    await world.until_state(event.reminder_id, "unknown")
    world.http.answering.set()
    # The answer is proof: it moves the unknown upward, through the observation.
    await world.until_state(event.reminder_id, "accepted")
    (seen,) = await world.owner.fetch("SELECT * FROM notifier.observations")
    assert (seen["source"], seen["state"]) == ("answer", "accepted")
    assert len(world.http.requests) == 1


@pytest.mark.parametrize(
    ("code", "kept"),
    [("21610", "blocked_at IS NOT NULL"), ("21211", "unusable_code = '21211'")],
)
async def test_what_a_late_no_says_of_the_contact_point_is_heard(
    world: World, code: str, kept: str
) -> None:
    await world.start(DUNWELL_LOOK_UP_SECONDS="60")
    world.http.answering.clear()
    world.http.lies.append(f'status:400:{{"code":{code},"message":"no","status":400}}')
    event = allowed(await world.addresses("ref-1", mobile=PHONE))
    await world.publish(event)
    await world.until_state(event.reminder_id, "in_flight")
    await world.owner.execute("UPDATE notifier.attempts SET lease_until = now() - interval '1s'")
    await world.until_state(event.reminder_id, "unknown")
    world.http.answering.set()
    await world.until("SELECT count(*) = 1 FROM notifier.observations WHERE source = 'answer'")
    assert await world.owner.fetchval(f"SELECT {kept} FROM notifier.contact_points")
    assert await world.state(event.reminder_id) == "unknown"


async def test_a_crash_before_in_flight_is_taken_over_by_epoch(world: World) -> None:
    await world.start()
    world.policy.status = 503
    event = allowed(await everywhere(world))
    await world.publish(event)
    await world.until_state(event.reminder_id, "intent")
    await world.stop()
    # As a killed process leaves it: claimed by somebody who is gone.
    await world.owner.execute(
        "UPDATE notifier.attempts SET lease_until = now() - interval '1s', not_before = now(),"
        " owner = gen_random_uuid()"
    )
    before = await world.owner.fetchval("SELECT epoch FROM notifier.attempts")
    world.policy.status = 200
    await world.start()
    row = await world.until_state(event.reminder_id, "accepted")
    assert row["epoch"] > before
    assert len({redeem.attempt_id for redeem in world.policy.redeemed}) == 1
    assert len(world.http.requests) == 1


async def test_nobody_resumes_a_flight(world: World) -> None:
    await world.start()
    event = allowed(await everywhere(world))
    await world.publish(event)
    await world.until_state(event.reminder_id, "accepted")
    await world.stop()
    await world.owner.execute(
        "UPDATE notifier.attempts SET state = 'in_flight', lease_until = now() + interval '1s'"
    )
    await world.start(DUNWELL_LOOK_UP_SECONDS="60")  # or it is found before we see it unknown
    await world.until_state(event.reminder_id, "unknown")
    assert len(world.http.requests) == 1


async def test_a_permit_that_is_too_old_lapses_and_the_next_attempt_releases_it(
    running: World,
) -> None:
    running.policy.send_within = timedelta(seconds=-1)
    event = allowed(await everywhere(running))
    await running.publish(event)
    while len(running.policy.redeemed) < 2:
        await asyncio.sleep(0.02)
    running.policy.send_within = timedelta(seconds=10)
    await running.until_state(event.reminder_id, "accepted")
    rows = await running.attempts(event.reminder_id)
    assert {row["state"] for row in rows[:-1]} == {"lapsed"}
    last = running.policy.redeemed[-1]
    assert last.attempt_id == rows[-1]["attempt_id"]
    assert set(last.releases) == {row["attempt_id"] for row in rows[:-1]}
    assert len(running.http.requests) == 1


async def test_a_permit_that_leaves_the_provider_no_time_is_not_used(running: World) -> None:
    running.policy.allowed_for = timedelta(seconds=1)
    event = allowed(await everywhere(running))
    await running.publish(event)
    while len(running.policy.redeemed) < 2:
        await asyncio.sleep(0.02)
    assert running.http.requests == []
    running.policy.allowed_for = timedelta(hours=1)
    await running.until_state(event.reminder_id, "accepted")


async def test_a_higher_emission_takes_an_intent_over(running: World) -> None:
    running.policy.status = 503
    event = allowed(await everywhere(running))
    await running.publish(event)
    await running.until_state(event.reminder_id, "intent")
    await running.publish(allowed(event.borrower_id, reminder_id=event.reminder_id, emission=2))
    await running.until(
        "SELECT emission = 2 FROM notifier.attempts WHERE reminder_id = $1", event.reminder_id
    )
    running.policy.status = 200
    row = await running.until_state(event.reminder_id, "accepted")
    assert row["emission"] == 2
    assert running.policy.redeemed[-1].emission == 2
    assert len(running.http.requests) == 1


async def test_a_stop_ends_the_service_with_every_flight_written_down(world: World) -> None:
    await world.start()
    world.http.answering.clear()
    borrower = await everywhere(world)
    events = [allowed(borrower) for _ in range(20)]
    await world.publish(*events)
    await world.until_state(events[0].reminder_id, "in_flight")
    asyncio.get_running_loop().call_later(0.5, world.http.answering.set)
    await world.stop()
    counts = await world.owner.fetch("SELECT state, count(*) FROM notifier.attempts GROUP BY state")
    by_state = {row["state"]: row["count"] for row in counts}
    assert "in_flight" not in by_state
    assert by_state["accepted"] == len(world.http.requests)


async def test_a_reference_that_cannot_be_kept_holds_up_no_other_outcome(running: World) -> None:
    borrower = await everywhere(running)
    running.http.lies.append("status:201:" + '{"sid": "SM\\u0000x", "status": "queued"}')
    first = allowed(borrower)
    await running.publish(first)
    await running.until_state(first.reminder_id, "unknown")
    second = allowed(borrower)
    await running.publish(second)
    await running.until_state(second.reminder_id, "accepted")
