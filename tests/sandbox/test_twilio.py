"""The Messages API, asked by Twilio's own SDK: answers, refusals, lies, listings."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException

from tests.sandbox.conftest import ATTEMPT, REMINDER, Outsides
from tests.sandbox.twilio_sdk import BORROWER, QUIET, SENDER, sdk, send, until

pytestmark = QUIET


async def test_a_message_is_created_fetched_and_listed_as_the_sdk_expects(
    outside: Outsides,
) -> None:
    async with outside() as world, sdk(world.url) as client:
        sent = await send(world, validity_period=600)
        assert sent.sid.startswith("SM")
        assert (sent.status, sent.to, sent.from_) == ("queued", BORROWER, SENDER)
        await until(lambda: world.events("outcome"))
        assert (await client.messages(sent.sid).fetch_async()).status == "delivered"
        since = datetime.now(UTC) - timedelta(minutes=1)
        listed = await client.messages.list_async(to=BORROWER, date_sent_after=since)
        assert [m.sid for m in listed] == [sent.sid]
        assert await client.messages.list_async(to=SENDER) == []
        later = datetime.now(UTC) + timedelta(minutes=1)
        assert await client.messages.list_async(to=BORROWER, date_sent_after=later) == []
        with pytest.raises(TwilioRestException) as missing:
            await client.messages("SM" + "0" * 32).fetch_async()
        assert missing.value.code == 20404


async def test_the_history_tells_all_of_a_request_and_its_reply(outside: Outsides) -> None:
    async with outside() as world:
        callback = f"http://127.0.0.1:9/t?attempt_id={ATTEMPT}&reminder_id={REMINDER}#rc=0"
        sent = await send(world, validity_period=600, status_callback=callback)
        request, (reply,) = world.request(), world.events("reply")
    assert request["attempt_id"] == reply["attempt_id"] == ATTEMPT
    assert request["reminder_id"] == REMINDER
    assert request["to"] == BORROWER
    assert request["text"] == "Your installment is due"
    assert request["sha256"] == hashlib.sha256(b"Your installment is due").hexdigest()
    assert request["validity_seconds"] == 600
    assert request["accepted"] is True
    assert request["lie"] is None
    assert request["provider_ref"] == sent.sid
    assert reply["request"] == request["n"]
    assert reply["status"] == 201
    assert request["t_recv"] <= reply["t_replied"]


async def test_an_attempt_id_in_the_callbacks_path_is_found(outside: Outsides) -> None:
    async with outside() as world:
        await send(world, status_callback=f"http://127.0.0.1:9/callbacks/{ATTEMPT}/twilio#rc=0")
        assert world.request()["attempt_id"] == ATTEMPT


@pytest.mark.parametrize(
    ("last_two", "status", "code"),
    [
        ("01", 400, 21211),
        ("02", 400, 21610),
        ("03", 400, 21614),
        ("04", 403, 21408),
        ("06", 401, 20003),
        ("20", 429, 20429),
        ("21", 500, 20500),
        ("23", 503, 20503),
        ("31", 500, 20500),
        ("32", 503, 20503),
    ],
)
async def test_a_refusal_has_twilios_status_and_code(
    outside: Outsides, last_two: str, status: int, code: int
) -> None:
    async with outside() as world:
        with pytest.raises(TwilioRestException) as refused:
            await send(world, to=f"+150055501{last_two}")
        assert (refused.value.status, refused.value.code) == (status, code)
        request = world.request()
        assert request["accepted"] is (last_two in {"31", "32"})
        assert (request["status"], request["code"]) == (status, code)
        assert request["cause"] == "magic"


async def test_wrong_credentials_and_wrong_forms_are_refused_and_recorded(
    outside: Outsides,
) -> None:
    async with outside() as world:
        async with sdk(world.url, token="wrong") as client:
            with pytest.raises(TwilioRestException) as refused:
                await client.messages.create_async(to=BORROWER, from_=SENDER, body="x")
        assert refused.value.code == 20003
        for form, code in [
            ({"to": "12345"}, 21211),
            ({"body": "x" * 1601}, 21617),
            ({"body": ""}, 21602),
            ({"from_": ""}, 21603),
            ({"validity_period": 36001}, 20001),
        ]:
            with pytest.raises(TwilioRestException) as refused:
                await send(world, **form)
            assert refused.value.code == code
        assert not any(e["accepted"] for e in world.events("request"))
        assert len(world.events("request")) == 6


@pytest.mark.parametrize(
    ("last_two", "accepted"),
    [("25", False), ("26", False), ("30", True), ("33", True), ("36", True)],
)
async def test_an_answer_that_never_comes_is_recorded_with_what_really_happened(
    outside: Outsides, last_two: str, accepted: bool
) -> None:
    async with outside() as world:
        with pytest.raises((aiohttp.ClientError, TimeoutError)):
            await send(world, to=f"+150055501{last_two}")
        assert world.request()["accepted"] is accepted
        (reply,) = world.events("reply")
        assert (reply["status"] is None) == (last_two != "36")


async def test_garbage_and_empty_ids_are_accepted_and_slow_answers_are_slow(
    outside: Outsides,
) -> None:
    async with outside() as world:
        with pytest.raises(ValueError, match="codec"):
            await send(world, to="+15005550134")
        assert (await send(world, to="+15005550135")).sid == ""
        began = asyncio.get_running_loop().time()
        assert (await send(world, to="+15005550137")).sid
        assert asyncio.get_running_loop().time() - began >= 0.29
        assert [e["accepted"] for e in world.events("request")] == [True] * 3


async def test_a_redirect_sends_nothing_unless_it_is_followed(outside: Outsides) -> None:
    async with outside() as world:
        with pytest.raises(TwilioRestException) as refused:
            await send(world, to="+15005550124")
        assert refused.value.status == 307
        assert world.request()["accepted"] is False


async def test_a_listing_lags_when_told_to(outside: Outsides) -> None:
    async with outside(lookup_lag_seconds=60) as world, sdk(world.url) as client:
        sent = await send(world)
        assert await client.messages.list_async(to=BORROWER) == []
        assert (await client.messages(sent.sid).fetch_async()).sid == sent.sid


async def test_a_listing_has_pages(outside: Outsides) -> None:
    async with outside() as world, sdk(world.url) as client:
        for _ in range(3):
            await send(world)
        listed = await client.messages.list_async(to=BORROWER, page_size=2)
        assert len({m.sid for m in listed}) == 3
