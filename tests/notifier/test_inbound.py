"""People who write back: our block first, then policy, then the answer."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from twilio.request_validator import RequestValidator

from services.events.words import Channel, PointKind
from services.notifier.addresses import GivenAddress, contact_point_id, normalise
from services.notifier.replies import load_vocabulary
from tests.notifier.deadlocks import deadlocked
from tests.notifier.world import AUTH_TOKEN, IDENTITY, PATIENCE_SECONDS, World, allowed

PUBLIC = "https://reminders.example.com"
PHONE = "+12025550143"
WORDS = load_vocabulary()


async def write(
    world: World, text: str, sid: str = "", token: str = AUTH_TOKEN, **more: str
) -> int:
    form = {"MessageSid": sid or f"SM{uuid4().hex}", "From": PHONE, "To": "+15005550006"}
    form |= {"Body": text, **more}
    path = "/v1/inbound/twilio"
    signature = RequestValidator(token).compute_signature(PUBLIC + path, form)
    async with world.session.post(
        world.url + path, data=form, headers={"X-Twilio-Signature": signature}
    ) as response:
        if response.status == 200:
            assert "<Response></Response>" in await response.text()
        return response.status


async def blocked(world: World) -> bool:
    value: Any = await world.owner.fetchval(
        "SELECT bool_and(blocked_at IS NOT NULL) FROM notifier.contact_points WHERE kind = 'mobile'"
    )
    return bool(value)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not true():
            await asyncio.sleep(0.02)


async def test_a_stop_blocks_the_number_for_everybody_who_has_it(running: World) -> None:
    first = await running.addresses("ref-1", mobile=PHONE)
    second = await running.addresses("ref-2", mobile=PHONE)
    assert await write(running, "STOP") == 200
    assert await blocked(running)
    assert {stop["borrower_id"] for stop in running.policy.stops} == {str(first), str(second)}
    (stop, _) = running.policy.stops
    assert (stop["kind"], stop["channels"], stop["tenant"]) == ("opt_out", ["sms"], "harbor")
    assert len(stop["contact_point_ids"]) == 1
    for borrower in (first, second):
        event = allowed(borrower)
        await running.publish(event)
        await running.until_state(event.reminder_id, "suppressed")
    assert running.http.requests == []
    (reply,) = await running.published("borrower.replied")
    assert reply["meaning"] == "stop"
    assert set(reply["borrower_ids"]) == {str(first), str(second)}


async def test_a_stop_binds_though_policy_is_away_and_is_forwarded_later(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    running.policy.away = True
    assert await write(running, "Stop.") == 200
    assert await blocked(running)
    assert running.policy.stops == []
    running.policy.away = False
    await until(lambda: len(running.policy.stops) == 1)


async def test_a_stop_that_loses_a_deadlock_is_heard_all_the_same(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    point = await running.owner.fetchval("SELECT contact_point_id FROM notifier.contact_points")
    other = contact_point_id(
        IDENTITY.encode(), "bank", normalise(GivenAddress(kind=PointKind.MOBILE, value=PHONE))
    )
    await running.owner.execute(
        "INSERT INTO notifier.contact_points (tenant, contact_point_id, kind)"
        " VALUES ('bank', $1, 'mobile')",
        other,
    )
    await running.owner.execute("INSERT INTO notifier.tenants VALUES ('bank')")
    lock = "SELECT FROM notifier.contact_points WHERE contact_point_id = '{}' FOR SHARE"
    async with deadlocked(running, lock.format(point), lock.format(other)):
        writing = asyncio.create_task(write(running, "STOP"))
    assert await writing == 200
    assert await blocked(running)


async def test_a_slow_policy_does_not_keep_the_provider_waiting(running: World) -> None:
    for n in range(6):
        await running.addresses(f"ref-{n}", mobile=PHONE)
    running.policy.stop_delay = 1.5
    assert await write(running, "STOP") == 200
    assert await blocked(running)
    assert len(running.policy.stops) < 6  # answered before policy had them all
    running.policy.stop_delay = 0.0
    await until(lambda: len({stop["stop_id"] for stop in running.policy.stops}) == 6)


async def test_a_stop_that_policy_refuses_keeps_no_other_from_it(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await running.addresses("ref-2", mobile=PHONE)
    running.policy.refusals = [422]
    await write(running, "STOP")
    assert len(running.policy.stops) == 1
    assert await blocked(running)
    refused = "SELECT stop_id::text FROM notifier.forwarded_stops WHERE refused_at IS NOT NULL"
    (left,) = await running.owner.fetch(refused)
    # It is asked again after a while, and is no longer listed once policy takes it.
    await running.owner.execute(
        "UPDATE notifier.forwarded_stops SET refused_at = now() - interval '1 day'"
        " WHERE refused_at IS NOT NULL"
    )
    await until(lambda: len(running.policy.stops) == 2)
    assert running.policy.stops[1]["stop_id"] == left["stop_id"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await running.owner.fetch(refused):
            await asyncio.sleep(0.02)


async def test_an_end_that_policy_refuses_keeps_no_other_from_it(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await running.addresses("ref-2", mobile=PHONE)
    await write(running, "STOP")
    running.policy.refusals = [422]
    await write(running, "START")
    assert len(running.policy.lifted) == 1


async def test_a_stop_is_not_passed_over_because_our_own_key_is_refused(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    running.policy.refusals = [401, 403, 429]
    await write(running, "STOP")
    await until(lambda: len(running.policy.stops) == 1)
    assert running.policy.refusals == []


async def test_a_page_that_a_proxy_shows_is_no_word_of_policy_that_it_has_the_stop(
    running: World,
) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    running.policy.refusals = [200, 204]  # not policy's answer, which says so in a field
    await write(running, "STOP")
    await until(lambda: len(running.policy.stops) == 1)
    assert running.policy.refusals == []


async def test_a_stop_between_permit_and_flight_keeps_the_message_back(running: World) -> None:
    borrower = await running.addresses("ref-1", mobile=PHONE, email="someone@example.com")

    async def stop_now() -> None:
        running.policy.before_answer = None
        assert await write(running, "stop") == 200

    running.policy.before_answer = stop_now
    event = allowed(borrower, Channel.SMS, Channel.EMAIL)
    await running.publish(event)
    await running.until_state(event.reminder_id, "accepted")
    states = [
        (r["channel"], r["state"], r["code"]) for r in await running.attempts(event.reminder_id)
    ]
    assert states == [("sms", "suppressed", "opt_out"), ("email", "accepted", None)]
    assert running.http.requests == []


async def test_start_lifts_our_own_opt_out(running: World) -> None:
    borrower = await running.addresses("ref-1", mobile=PHONE)
    await write(running, "STOP")
    await write(running, "START")
    assert not await blocked(running)
    assert running.policy.lifted == [running.policy.stops[0]["stop_id"]]
    event = allowed(borrower)
    await running.publish(event)
    await running.until_state(event.reminder_id, "accepted")


async def test_a_replayed_message_changes_nothing(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    sid = f"SM{uuid4().hex}"
    await write(running, "STOP", sid)
    await write(running, "START")
    await write(running, "STOP", sid)  # the old one, recorded and sent again
    assert not await blocked(running)
    assert len(running.policy.stops) == 1


async def test_a_forged_message_changes_nothing(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    assert await write(running, "STOP", token="somebody-else") == 403
    assert not await blocked(running)


async def test_an_unknown_number_is_answered_and_forgotten(running: World) -> None:
    assert await write(running, "STOP") == 200
    assert running.policy.stops == []


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("STOP", "stop"),
        ("stop.", "stop"),
        ("Stop please", "stop"),
        ("please stop texting me", "stop"),
        ("UNSUBSCRIBE", "stop"),
        ("T", "stop"),
        ("td", "stop"),
        ("退订", "stop"),
        ("请退订!", "stop"),
        ("BAJA", "stop"),
        ("sair", "stop"),
        ("end", "stop"),
        ("the end of the month is fine", "other"),
        ("I will pay on Friday", "other"),
        ("Christopher", "other"),
        ("unstoppable", "other"),
        ("START", "start"),
        ("start over and stop", "stop"),
        ("please start", "other"),
        ("help", "help"),
        ("", "other"),
    ],
)
def test_in_doubt_a_reply_is_an_opt_out(text: str, meaning: str) -> None:
    assert WORDS.meaning(text) == meaning
