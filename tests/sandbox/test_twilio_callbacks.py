"""What Twilio tells a lender: status callbacks and a person's replies, signed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from twilio.base.exceptions import TwilioRestException
from twilio.request_validator import RequestValidator

from services.sandbox.settings import AUTH_TOKEN
from tests.sandbox.conftest import ATTEMPT, Outsides
from tests.sandbox.twilio_sdk import BORROWER, QUIET, SENDER, send, until

pytestmark = QUIET


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
