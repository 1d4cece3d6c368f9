"""Attempts through every state: refusals, falling through, unknowns, leases, crashes."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.events.permits import Verdict
from services.events.words import Channel
from services.runtime.metrics import PERMITS_MISSING, REGISTRY
from tests.notifier.test_inbound import write
from tests.notifier.world import PATIENCE_SECONDS, World, allowed, cancelled, refusal

PHONE, MAIL, TOKEN = "+12025550143", "someone@example.com", "device-token"


async def everywhere(world: World, ref: str = "ref-1"):  # type: ignore[no-untyped-def]
    return await world.addresses(ref, mobile=PHONE, email=MAIL, app=TOKEN)


async def states(world: World, event) -> list[tuple[str, str]]:  # type: ignore[no-untyped-def]
    return [(row["channel"], row["state"]) for row in await world.attempts(event.reminder_id)]


async def test_a_redelivered_permission_makes_one_attempt(running: World) -> None:
    event = allowed(await everywhere(running))
    await running.publish(event, event)
    await running.until_state(event.reminder_id, "accepted")
    await running.publish(event)
    await running.until_read()
    assert len(await running.attempts(event.reminder_id)) == 1
    assert len(running.http.requests) == 1


async def test_a_second_live_attempt_would_need_the_database_to_be_broken(running: World) -> None:
    event = allowed(await everywhere(running))
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "accepted")
    with pytest.raises(asyncpg.UniqueViolationError, match="attempts_one_live"):
        await running.owner.execute(
            "INSERT INTO notifier.attempts (attempt_id, tenant, reminder_id, emission, borrower_id,"
            " priority) VALUES ($1, $2, $3, 2, $4, 1)",
            uuid4(),
            row["tenant"],
            row["reminder_id"],
            row["borrower_id"],
        )


async def test_a_deferred_attempt_ends_and_the_next_emission_is_sent(running: World) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    running.policy.answers["sms"] = refusal(Verdict.DEFER, "contact_window", later)
    event = allowed(await everywhere(running))
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "deferred")
    assert row["code"] == "contact_window"
    assert running.http.requests == []
    running.policy.answers.clear()
    await running.publish(allowed(event.borrower_id, reminder_id=event.reminder_id, emission=2))
    await running.until_state(event.reminder_id, "accepted")
    assert len(running.http.requests) == 1
    # The first emission, delivered again, changes nothing.
    await running.publish(event)
    await running.until_read()
    assert len(await running.attempts(event.reminder_id)) == 2


async def test_a_suppressed_attempt_ends_and_nothing_follows(running: World) -> None:
    running.policy.answers["sms"] = refusal(Verdict.SUPPRESS, "paid")
    event = allowed(await everywhere(running), Channel.SMS, Channel.EMAIL)
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "suppressed")
    assert row["code"] == "paid"
    await asyncio.sleep(0.3)
    assert await states(running, event) == [("sms", "suppressed")]
    assert await running.receipts(event.reminder_id) == [("suppressed", None, None)]


async def test_a_cancellation_that_comes_first_suppresses_what_comes_later(running: World) -> None:
    event = allowed(await everywhere(running))
    await running.publish(cancelled(event))
    # Two topics have no order between them: only what was read first has come first.
    await running.until(
        "SELECT count(*) = 1 FROM notifier.reminders WHERE cancelled_at IS NOT NULL"
    )
    await running.publish(event)
    await running.until_read()
    assert await running.attempts(event.reminder_id) == []
    assert running.http.requests == []


async def test_a_cancellation_ends_an_intent(running: World) -> None:
    running.policy.status = 503
    event = allowed(await everywhere(running))
    await running.publish(event)
    await running.until_state(event.reminder_id, "intent")
    await running.publish(cancelled(event))
    row = await running.until_state(event.reminder_id, "suppressed")
    assert row["code"] == "cancelled"
    running.policy.status = 200
    await asyncio.sleep(1.5)
    assert running.http.requests == []


async def test_an_intent_waits_while_policy_is_away_and_keeps_its_id(running: World) -> None:
    running.policy.status = 502
    event = allowed(await everywhere(running))
    await running.publish(event)
    while len(running.policy.redeemed) < 2:
        await asyncio.sleep(0.05)
    assert await running.state(event.reminder_id) == "intent"
    running.policy.status = 200
    await running.until_state(event.reminder_id, "accepted")
    assert len({redeem.attempt_id for redeem in running.policy.redeemed}) == 1


async def test_a_deferral_without_an_end_is_no_answer(running: World) -> None:
    running.policy.answers["sms"] = refusal(Verdict.DEFER, "contact_window")
    event = allowed(await everywhere(running))
    await running.publish(event)
    while len(running.policy.redeemed) < 2:
        await asyncio.sleep(0.05)
    assert await running.state(event.reminder_id) == "intent"
    running.policy.answers.clear()
    await running.until_state(event.reminder_id, "accepted")


async def test_a_dropped_redeem_answer_is_asked_for_again_under_the_same_id(
    running: World,
) -> None:
    running.policy.drop_answers = 1
    event = allowed(await everywhere(running))
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "accepted")
    assert [r.attempt_id for r in running.policy.redeemed] == [row["attempt_id"]] * 2
    assert len(running.http.requests) == 1


async def test_push_then_sms_then_email_each_with_the_finished_ones_released(
    running: World,
) -> None:
    running.http.lies_by_to[TOKEN] = (
        'status:404:{"error":{"status":"NOT_FOUND","details":[{"errorCode":"UNREGISTERED"}]}}'
    )
    running.http.lies_by_to[PHONE] = 'status:400:{"code":21211,"message":"no","status":400}'
    event = allowed(await everywhere(running), *Channel)
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "accepted")
    assert await states(running, event) == [
        ("push", "rejected"),
        ("sms", "rejected"),
        ("email", "accepted"),
    ]
    first, second, third = running.policy.redeemed
    assert first.releases == ()
    assert second.releases == (first.attempt_id,)
    assert third.releases == (first.attempt_id, second.attempt_id)
    assert third.attempt_id == row["attempt_id"]
    assert await running.receipts(event.reminder_id) == [
        ("rejected", None, None),
        ("rejected", None, None),
        ("accepted", "sent", None),
    ]


async def test_a_dead_contact_point_is_told_and_never_used_again(running: World) -> None:
    running.http.lies_by_to[PHONE] = 'status:400:{"code":21614,"message":"no","status":400}'
    borrower = await running.addresses("ref-1", mobile=PHONE)
    other = await running.addresses("ref-2", mobile=PHONE)
    event = allowed(borrower)
    await running.publish(event)
    await running.until_state(event.reminder_id, "rejected")
    assert await running.receipts(event.reminder_id) == [("rejected", "failed", "rejected")]
    told = [e for e in await running.published("contact_point.changed") if not e["usable"]]
    assert {e["borrower_id"] for e in told} == {str(borrower), str(other)}
    assert {e["version"] for e in told} == {2}
    later = allowed(other)
    await running.publish(later)
    row = await running.until_state(later.reminder_id, "suppressed")
    assert row["code"] == "no_contact_point"
    assert len(running.http.requests) == 1
    assert await running.receipts(later.reminder_id) == [
        ("suppressed", "failed", "no_contact_point")
    ]


@pytest.mark.parametrize("said_by", ["lender", "person"])
async def test_a_dead_contact_point_lives_again_when_somebody_says_so(
    running: World, said_by: str
) -> None:
    running.http.lies.append('status:400:{"code":21614,"message":"no","status":400}')
    borrower = await running.addresses("ref-1", mobile=PHONE)
    other = await running.addresses("ref-2", mobile=PHONE)
    event = allowed(borrower)
    await running.publish(event)
    await running.until_state(event.reminder_id, "rejected")
    # Named once more, as in a nightly list: no news.
    await running.addresses("ref-1", version=2, mobile=PHONE)
    told = await running.published("contact_point.changed")
    assert not told[-1]["usable"]
    if said_by == "lender":
        await running.addresses("ref-1", version=3, email="b1@example.com")
        await running.addresses("ref-1", version=4, mobile=PHONE)
    else:
        await write(running, "START")
    told = await running.published("contact_point.changed")
    number = told[0]["contact_point_id"]
    for who in (borrower, other):
        mine = [
            e["usable"]
            for e in told
            if (e["borrower_id"], e["contact_point_id"]) == (str(who), number)
        ]
        assert (mine[:2], mine[-1]) == ([True, False], True)
    again = allowed(other)
    await running.publish(again)
    await running.until_state(again.reminder_id, "accepted")


async def test_a_no_that_passes_is_tried_again_then_falls_through(running: World) -> None:
    running.http.lies_by_to[PHONE] = 'status:429:{"code":20429,"message":"no","status":429}'
    event = allowed(await everywhere(running), Channel.SMS, Channel.EMAIL)
    await running.publish(event)
    await running.until_state(event.reminder_id, "accepted")
    assert await states(running, event) == [("sms", "rejected")] * 3 + [("email", "accepted")]


async def test_what_was_never_written_is_tried_again(world: World) -> None:
    await world.start(DUNWELL_TWILIO_API_URL="http://127.0.0.1:9", DUNWELL_SMTP_PORT="9")
    event = allowed(await everywhere(world), Channel.SMS)
    await world.publish(event)
    await world.until(
        "SELECT count(*) >= 3 FROM notifier.attempts WHERE reminder_id = $1 AND state = 'not_sent'",
        event.reminder_id,
    )
    await asyncio.sleep(0.3)
    assert await states(world, event) == [("sms", "not_sent")] * 3
    receipts = await world.receipts(event.reminder_id)
    assert receipts[-1] == ("not_sent", "failed", "not_sent")
    assert [outcome for _, outcome, _ in receipts[:-1]] == [None, None]


async def test_a_provider_that_is_away_is_told_once_and_by_its_reason(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    await world.start(DUNWELL_TWILIO_API_URL="http://127.0.0.1:1")
    borrower = await world.addresses("ref-1", mobile="+12025550143")
    await world.publish(*(allowed(borrower) for _ in range(3)))
    # Not the end of each: the brake's pauses grow longer than the log's silence.
    await world.until("SELECT count(*) >= 3 FROM notifier.attempts WHERE state = 'not_sent'")
    (said,) = [line for line in capfd.readouterr().err.splitlines() if "provider_unrea" in line]
    assert '"code":"connect_failed"' in said
    assert '"channel":"sms"' in said


async def test_permits_that_policy_refuses_are_counted_and_told_once(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    world.policy.status = 401
    missing = PERMITS_MISSING.labels("refused")._value
    before = missing.get()
    await world.start()
    await world.publish(allowed(await world.addresses("ref-1", mobile="+12025550143")))
    while missing.get() < before + 2:
        await asyncio.sleep(0.02)
    said = capfd.readouterr().err
    assert said.count("redeem_refused") == said.count("no_permit") == 1
    assert '"status":401' in said


@pytest.mark.parametrize(
    ("metric", "labels"),
    [
        ("dunwell_dead_letters_total", {"topic": "address.events", "code": "too_large"}),
        ("dunwell_callbacks_total", {"provider": "twilio", "result": "forged"}),
        ("dunwell_attempts_total", {"provider": "fcm", "state": "not_sent"}),
        ("dunwell_permits_missing_total", {"reason": "incomplete"}),
    ],
)
async def test_what_an_alarm_looks_at_is_there_before_it_happens(
    running: World, metric: str, labels: dict[str, str]
) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):  # topics are looked at once the doors are open
        while REGISTRY.get_sample_value(metric, labels) is None:
            await asyncio.sleep(0.01)
