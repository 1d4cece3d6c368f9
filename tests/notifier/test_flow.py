"""From an allowed reminder to a receipt, through the real service."""

import asyncio

import structlog

from services.events.words import Channel
from services.notifier.handoff import log_failure
from services.runtime.identity import surrogate
from tests.notifier.world import IDENTITY, TENANT, World, allowed


async def test_an_allowed_reminder_is_redeemed_then_sent_then_told(running: World) -> None:
    borrower = await running.addresses("ref-1", mobile="+1 202 555 0143")
    event = allowed(borrower)
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "accepted")
    (sent,) = running.http.requests
    assert sent["to"] == "+12025550143"
    assert "$123.45" in sent["body"]
    assert str(row["attempt_id"]) in sent["StatusCallback"]
    assert 7000 < int(sent["ValidityPeriod"]) <= 7200
    (asked,) = running.policy.redeemed
    assert asked.attempt_id == row["attempt_id"]
    assert await running.receipts(event.reminder_id) == [("accepted", "sent", None)]
    (attempt,) = await running.published("delivery.attempted")
    assert attempt["attempt_id"] == str(row["attempt_id"])


async def test_each_tenants_messages_come_in_its_own_name(world: World) -> None:
    for names, said in (
        ("harbor=Harbor Bank;bay=Bay Credit", "Harbor Bank"),
        ("", "Harbor Lending"),
    ):
        await world.start(DUNWELL_SENDER_NAMES=names)
        borrower = await world.addresses("ref-1", mobile="+12025550143")
        event = allowed(borrower)
        await world.publish(event)
        await world.until_state(event.reminder_id, "accepted")
        assert said in world.http.requests[-1]["body"]
        await world.stop()


async def test_a_number_that_policy_refused_is_passed_over(running: World) -> None:
    numbers = ["+12025550143", "+12025550144"]
    points = [{"kind": "mobile", "value": number} for number in numbers]
    status, said = await running.call(
        "PUT", "/v1/borrowers/ref-1/contact-points", {"version": 1, "contact_points": points}
    )
    assert status == 200, said
    borrower = surrogate(IDENTITY.encode(), TENANT, "borrower", "ref-1")
    event = allowed(
        borrower, refused_contact_points=(said["contact_points"][0]["contact_point_id"],)
    )
    await running.publish(event)
    await running.until_state(event.reminder_id, "accepted")
    (sent,) = running.http.requests
    assert sent["to"] == numbers[1]


async def test_every_channel_carries_a_reminder(running: World) -> None:
    borrower = await running.addresses(
        "ref-1", mobile="+12025550143", email="someone@example.com", app="device-token-1"
    )
    for channel in Channel:
        event = allowed(borrower, channel)
        await running.publish(event)
        await running.until_state(event.reminder_id, "accepted")
    assert len(running.http.requests) == 2
    assert len(running.mail.mails) == 1


async def test_a_task_that_fails_unseen_is_logged_by_its_class_alone() -> None:
    async def fails() -> None:
        raise ValueError("+12025550143")

    with structlog.testing.capture_logs() as said:
        task = asyncio.create_task(fails())
        task.add_done_callback(log_failure)
        await asyncio.wait([task])
        await asyncio.sleep(0)
    assert said == [{"event": "hand_off_failed", "error": "ValueError", "log_level": "error"}]
