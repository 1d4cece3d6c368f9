"""From an allowed reminder to a receipt, through the real service."""

from services.events.words import Channel
from tests.notifier.world import World, allowed


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
