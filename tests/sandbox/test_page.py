"""The page that shows what arrived, and the endpoints it reads."""

import re
from pathlib import Path

import aiohttp
import aiosmtplib
import pytest

from services.sandbox.control import PAGE, likely_zone
from tests.sandbox.conftest import Outsides
from tests.sandbox.test_history import text
from tests.sandbox.test_smtp import mail

SCRIPT = "<script>alert(1)</script>"


async def test_the_page_and_its_files_are_served_under_a_strict_policy(outside: Outsides) -> None:
    async with outside() as world, aiohttp.ClientSession(world.url) as http:
        for path, kind in [
            ("/", "text/html"),
            ("/sandbox/inbox.css", "text/css"),
            ("/sandbox/inbox.js", "text/javascript"),
        ]:
            async with http.get(path) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_holds_no_inline_script_and_no_foreign_address() -> None:
    files = {path.name: path.read_text() for path in Path(PAGE).iterdir()}
    html = files["inbox.html"]
    assert re.findall(r"<script(?![^>]*\bsrc=)", html) == []
    assert re.findall(r"\son\w+=|\sstyle=|<style", html) == []
    for name, content in files.items():
        foreign = re.findall(r"https?://(?!www\.w3\.org/2000/svg)", content)
        assert foreign == [], name
    for sink in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert sink not in files["inbox.js"]


async def test_messages_come_with_their_standing_and_only_once_unless_they_change(
    outside: Outsides,
) -> None:
    async with outside() as world, aiohttp.ClientSession(world.url) as http:
        await text(world.url, Body=SCRIPT, To="+15005550150")
        await text(world.url, To="+15005550101")
        await aiosmtplib.send(mail(), hostname="127.0.0.1", port=world.running.smtp_port)
        async with http.get("/sandbox/messages.json") as answer:
            page = await answer.json()
        newest = page["messages"]
        assert {m["channel"] for m in newest} == {"sms", "email"}
        by_to = {m["to"]: m for m in newest}
        assert by_to["+15005550150"]["text"] == SCRIPT
        assert by_to["+15005550101"]["accepted"] is False
        assert by_to["+15005550101"]["code"] == 21211
        assert by_to["borrower@example.com"]["subject"] == "Your installment"
        revision = page["revision"]
        assert [m["revision"] for m in newest] == sorted(
            (m["revision"] for m in newest), reverse=True
        )
        async with http.get("/sandbox/messages.json?since=0&limit=1") as answer:
            (first,) = (await answer.json())["messages"]
        async with http.get(f"/sandbox/messages.json?before={first['revision']}") as answer:
            rest = (await answer.json())["messages"]
        assert first["id"] not in {m["id"] for m in rest}
        await text(world.url)
        async with http.get(f"/sandbox/messages.json?since={revision}") as answer:
            assert "+12025550123" in {m["to"] for m in (await answer.json())["messages"]}


@pytest.mark.parametrize(
    ("address", "zone"),
    [
        ("+12125550101", "America/New_York"),
        ("+919999900001", "Asia/Calcutta"),
        ("+18005550100", None),
        ("+447700900123", None),
        ("borrower@example.com", None),
        ("device-1", None),
    ],
)
def test_a_phones_clock_is_in_the_one_zone_that_its_number_has(
    address: str, zone: str | None
) -> None:
    assert likely_zone(address) == zone


async def test_a_message_comes_with_its_persons_zone(outside: Outsides) -> None:
    async with outside() as world, aiohttp.ClientSession(world.url) as http:
        await text(world.url, To="+12125550101")
        async with http.get("/sandbox/messages.json") as answer:
            (message,) = (await answer.json())["messages"]
    assert message["zone"] == "America/New_York"


async def test_health_counts_what_is_still_under_way(outside: Outsides) -> None:
    async with (
        outside(callback_delay_seconds=5, hold_seconds=0.1) as world,
        aiohttp.ClientSession(world.url) as http,
    ):
        await text(world.url)
        await text(world.url, To="+15005550116")  # expires in ten hours: nobody waits for that
        async with http.get("/healthz") as answer:
            health = await answer.json()
        assert (health["status"], health["open_requests"]) == ("ok", 0)
        assert (health["callbacks_pending"], health["messages"]) == (1, 2)


async def test_a_reply_needs_somebody_to_hear_it(outside: Outsides) -> None:
    async with outside() as world, aiohttp.ClientSession(world.url) as http:
        reply = {"from": "+12025550123", "to": "+12025550100", "body": "STOP"}
        async with http.post("/sandbox/inbound", json=reply) as answer:
            assert answer.status == 409
            assert "--inbound-url" in (await answer.json())["error"]
    async with (
        outside(inbound_url="http://127.0.0.1:9/inbound") as world,
        aiohttp.ClientSession(world.url) as http,
        http.post("/sandbox/inbound", json=reply) as answer,
    ):
        assert await answer.json() | {"provider_ref": ""} == {
            "provider_ref": "",
            "http_status": None,
            "error": "ClientConnectorError",
        }
        assert world.events("inbound")[0]["t_answered"] is None
