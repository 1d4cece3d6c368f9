"""People who write back, or follow the link: our block first, then policy, then the answer."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from twilio.request_validator import RequestValidator

from services.events.words import Channel, PointKind
from services.notifier.addresses import GivenAddress, contact_point_id, normalise
from services.notifier.prepare import unsubscribe_signature
from services.notifier.render import load_templates
from services.notifier.replies import load_vocabulary
from services.notifier.unsubscribe import spoken
from services.runtime import migrate
from tests.notifier.deadlocks import deadlocked
from tests.notifier.test_callbacks import call_back
from tests.notifier.world import AUTH_TOKEN, IDENTITY, PATIENCE_SECONDS, World, allowed

PUBLIC = "https://reminders.example.com"
SCHEMA = Path(migrate.__file__).parents[1] / "notifier" / "schema"
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


async def test_an_opt_out_that_was_kept_as_a_dead_number_binds_as_a_stop(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await running.owner.execute(
        "UPDATE notifier.contact_points SET unusable_at = now(), unusable_code = '21610'"
    )
    await running.owner.execute("SET search_path TO notifier")
    await running.owner.execute((SCHEMA / "0008_refused_opt_outs.sql").read_text())
    await running.addresses("ref-2", mobile=PHONE)
    assert await blocked(running)
    await write(running, "START")
    assert not await blocked(running)


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


async def test_twilios_own_opt_out_keyword_is_a_stop(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, "whatever", OptOutType="STOP")
    assert await blocked(running)


async def test_twilios_own_opt_in_keyword_is_a_start(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, "STOP")
    await write(running, "resume", OptOutType="START")
    assert not await blocked(running)
    assert running.policy.lifted == [running.policy.stops[0]["stop_id"]]


async def test_a_stop_word_stays_a_stop_whatever_twilio_makes_of_it(running: World) -> None:
    await running.addresses("ref-1", mobile=PHONE)
    await write(running, "STOP", OptOutType="START")
    assert await blocked(running)


@pytest.mark.parametrize("heard_by", ["answer", "callback"])
async def test_a_stop_that_only_the_provider_heard_binds_until_start(
    running: World, heard_by: str
) -> None:
    borrower = await running.addresses("ref-1", mobile=PHONE)
    event = allowed(borrower)
    if heard_by == "answer":
        running.http.lies.append('status:400:{"code":21610,"message":"no","status":400}')
        await running.publish(event)
        await running.until_state(event.reminder_id, "rejected")
    else:
        await running.publish(event)
        row = await running.until_state(event.reminder_id, "accepted")
        sid = row["provider_ref"]
        assert await call_back(running, row["attempt_id"], "failed", sid, ErrorCode="21610") == 204
    assert await blocked(running)
    await until(lambda: len(running.policy.stops) == 1)
    assert running.policy.stops[0]["borrower_id"] == str(borrower)
    assert await running.published("borrower.replied") == []  # nobody wrote to us
    # The lender can't undo it by giving the number again; the person can.
    await running.addresses("ref-1", version=2, mobile=PHONE)
    assert await blocked(running)
    await write(running, "START")
    assert not await blocked(running)
    assert len(running.policy.lifted) == 1
    again = allowed(borrower)
    await running.publish(again)
    await running.until_state(again.reminder_id, "accepted")


async def test_a_start_is_not_undone_by_what_the_provider_says_of_a_message_before_it(
    running: World,
) -> None:
    borrower = await running.addresses("ref-1", mobile=PHONE)
    earlier = allowed(borrower)
    await running.publish(earlier)
    before = await running.until_state(earlier.reminder_id, "accepted")
    await write(running, "STOP")
    await write(running, "START")
    later = allowed(borrower)
    await running.publish(later)
    after = await running.until_state(later.reminder_id, "accepted")
    for row, binds, stops in ((before, False, 1), (after, True, 2)):
        sid = row["provider_ref"]
        assert await call_back(running, row["attempt_id"], "failed", sid, ErrorCode="21610") == 204
        assert await blocked(running) is binds
        told = await running.owner.fetchval("SELECT count(*) FROM notifier.forwarded_stops")
        assert told == stops


async def test_an_unsubscribe_link_asks_by_get_and_acts_by_post(running: World) -> None:
    borrower = await running.addresses("ref-1", email="someone@example.com")
    event = allowed(borrower, Channel.EMAIL)
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "accepted")
    signature = unsubscribe_signature(IDENTITY.encode(), row["attempt_id"])
    path = f"/v1/unsubscribe/{row['attempt_id']}/{signature}"
    assert f"<{PUBLIC}{path}>".encode() in running.mail.mails[0]
    async with running.session.get(running.url + path) as response:
        assert response.status == 200
    assert running.policy.stops == []
    async with running.session.post(running.url + path) as response:
        assert response.status == 200
    (stop,) = running.policy.stops
    assert (stop["channels"], stop["borrower_id"]) == (["email"], str(borrower))
    wrong = path[:-1] + ("0" if path[-1] != "0" else "1")
    for method in ("GET", "POST"):
        async with running.session.request(method, running.url + wrong) as response:
            assert response.status == 404
            assert "nothing was changed" in await response.text()


async def test_a_link_whose_message_is_no_longer_known_promises_nothing(running: World) -> None:
    attempt_id = uuid4()
    path = f"/v1/unsubscribe/{attempt_id}/{unsubscribe_signature(IDENTITY.encode(), attempt_id)}"
    async with running.session.post(running.url + path) as response:
        assert response.status == 404
        assert "nothing was changed" in await response.text()


async def test_an_unsubscribe_page_speaks_the_readers_language(running: World) -> None:
    attempt_id = uuid4()
    path = f"/v1/unsubscribe/{attempt_id}/{unsubscribe_signature(IDENTITY.encode(), attempt_id)}"
    for language, words in spoken().items():
        asking = {"Accept-Language": f"fr, {language};q=0.9, en;q=0.5"}
        async with running.session.get(running.url + path, headers=asking) as response:
            page = await response.text()
        assert f'<html lang="{language}">' in page
        assert words.ask in page


def test_an_unsubscribe_page_speaks_every_language_of_the_templates() -> None:
    assert {locale for _, _, locale in load_templates().compiled} == set(spoken())


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
