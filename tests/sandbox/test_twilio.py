"""The Messages API, asked by Twilio's own SDK."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from services.sandbox.settings import ACCOUNT_SID, AUTH_TOKEN
from tests.sandbox.conftest import ATTEMPT, REMINDER, Outside, Outsides

# The SDK's own transport still uses what aiohttp deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning"),
]

SENDER = "+12025550100"
BORROWER = "+12025550123"


@asynccontextmanager
async def sdk(url: str, token: str = AUTH_TOKEN) -> AsyncIterator[Client]:
    async with AsyncTwilioHttpClient() as transport:
        client = Client(ACCOUNT_SID, token, http_client=transport)
        client.api.base_url = url
        yield client


async def send(outside: Outside, to: str = BORROWER, **more: Any) -> Any:
    async with sdk(outside.url) as client:
        call = client.messages.create_async(
            to=to, **({"from_": SENDER, "body": "Your installment is due"} | more)
        )
        return await asyncio.wait_for(call, 2)


@asynccontextmanager
async def webhook() -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A lender's callback server: its URL and the forms it got, each with `valid`."""
    got: list[dict[str, Any]] = []
    validator = RequestValidator(AUTH_TOKEN)

    async def take(request: web.Request) -> web.Response:
        form = await request.post()
        signature = request.headers["X-Twilio-Signature"]
        valid = validator.validate(str(request.url), form, signature)
        got.append({**form, "valid": valid, "path": request.path_qs})
        return web.Response(status=204)

    app = web.Application()
    app.add_routes([web.post("/{tail:.*}", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", got
    finally:
        await runner.cleanup()


async def until(true: Any, seconds: float = 3) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


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


async def test_callbacks_are_signed_and_in_order(outside: Outsides) -> None:
    async with outside() as world, webhook() as (url, got):
        sent = await send(world, status_callback=f"{url}/cb/{ATTEMPT}?t=a%2Fb")
        await until(lambda: len(got) == 2)
        assert [form["MessageStatus"] for form in got] == ["sent", "delivered"]
        assert all(form["valid"] and form["MessageSid"] == sent.sid for form in got)
        assert got[0]["path"] == f"/cb/{ATTEMPT}?t=a%2Fb"
        await until(lambda: len(world.events("callback")) == 2)
        assert {e["http_status"] for e in world.events("callback")} == {204}


async def test_a_messaging_service_answers_accepted_and_calls_back_queued_first(
    outside: Outsides,
) -> None:
    async with outside() as world, webhook() as (url, got):
        sent = await send(
            world, from_=None, messaging_service_sid="MG" + "1" * 32, status_callback=url + "/"
        )
        assert sent.status == "accepted"
        await until(lambda: len(got) == 3)
        assert [form["MessageStatus"] for form in got] == ["queued", "sent", "delivered"]


@pytest.mark.parametrize(
    ("last_two", "statuses"),
    [
        ("11", ["sent", "undelivered"]),
        ("10", ["sent", "failed"]),
        ("52", ["sent", "sent", "delivered", "delivered"]),
        ("53", ["delivered", "sent"]),
        ("51", ["sent", "delivered"]),
    ],
)
async def test_a_magic_number_decides_what_the_callbacks_say(
    outside: Outsides, last_two: str, statuses: list[str]
) -> None:
    async with outside() as world, webhook() as (url, got):
        await send(world, to=f"+150055501{last_two}", status_callback=url + "/")
        if last_two == "51":
            assert len(got) == 2  # they overtook the answer
        await until(lambda: len(got) == len(statuses))
        assert [form["MessageStatus"] for form in got] == statuses
        if last_two == "11":
            assert got[-1]["ErrorCode"] == "30003"


async def test_a_forged_callback_is_signed_wrongly_and_a_silent_number_calls_nobody(
    outside: Outsides,
) -> None:
    async with outside() as world, webhook() as (url, got):
        await send(world, to="+15005550155", status_callback=url + "/")
        await until(lambda: len(got) == 3)
        assert [form["valid"] for form in got] == [False, True, True]
        got.clear()
        await send(world, to="+15005550150", status_callback=url + "/")
        await until(lambda: len(world.events("outcome")) == 2)
        assert got == []


async def test_a_message_is_not_delivered_after_its_validity_period(outside: Outsides) -> None:
    async with outside(carrier_delay_seconds=30) as world, webhook() as (url, got):
        await send(world, validity_period=1, status_callback=url + "/")
        await until(lambda: len(got) == 2)
        assert [form["MessageStatus"] for form in got] == ["sent", "failed"]
        assert got[-1]["ErrorCode"] == "30036"


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


async def test_the_borrowers_reply_is_signed_and_stop_can_bind_at_the_provider(
    outside: Outsides,
) -> None:
    async with (
        webhook() as (url, got),
        outside(inbound_url=url + "/inbound", opt_out_at_provider=True) as world,
        aiohttp.ClientSession() as http,
    ):
        reply = {"from": BORROWER, "to": SENDER, "body": "Stop", "opt_out_type": "STOP"}
        async with http.post(f"{world.url}/sandbox/inbound", json=reply) as answer:
            assert (await answer.json())["http_status"] == 204
        assert got[0]["valid"]
        assert (got[0]["Body"], got[0]["OptOutType"]) == ("Stop", "STOP")
        with pytest.raises(TwilioRestException) as refused:
            await send(world)
        assert refused.value.code == 21610
        reply = {"from": BORROWER, "to": SENDER, "body": "START"}
        async with http.post(f"{world.url}/sandbox/inbound", json=reply):
            pass
        assert (await send(world)).sid
        (stop, start) = world.events("inbound")
        assert (stop["http_status"], start["opt_out_type"]) == (204, None)
