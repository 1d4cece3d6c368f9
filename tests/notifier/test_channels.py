"""One contract for every channel: each way to fail has one request, at most, and the right name."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.notifier.channels import Accepted, Deadline, NotSent, Rejected, Unknown
from services.notifier.channels.call import call
from services.notifier.channels.google_token import read_service_account
from services.runtime.child_process import free_ports
from tests.loop_time import standing_at
from tests.notifier.google_key import service_account
from tests.notifier.liars import HttpLiar, serving
from tests.notifier.outside import ALL, HTTP, Open, channel_to, deadline, message


@pytest.mark.parametrize("name", ALL)
async def test_an_honest_provider_accepts_with_its_reference(outside: Open, name: str) -> None:
    world = await outside(name)
    for expected in (1, 2, 3):
        answer = await world.send()
        assert isinstance(answer, Accepted)
        assert answer.provider_ref
        assert world.requests == expected
    connections = world.mail.connections if name == "email" else world.http.connections
    assert connections <= 2, "connections are kept"


@pytest.mark.parametrize("name", ALL)
async def test_a_refused_connection_is_not_sent(tmp_path: Path, name: str) -> None:
    (port,) = free_ports(1)
    async with serving(liar := HttpLiar()):  # the token endpoint answers, the provider is away
        async with channel_to(name, liar.url, port, tmp_path) as channel:
            if name == "push":
                assert await channel._token.get()
                channel._url = f"http://127.0.0.1:{port}/v1/x"
        url = f"http://127.0.0.1:{port}"
        async with channel_to(name, url, port, tmp_path) as channel:
            now = asyncio.get_running_loop().time()
            answer = await call(channel, message(name), deadline(now + 30))
    assert isinstance(answer, NotSent)


@pytest.mark.parametrize("name", HTTP)
@pytest.mark.parametrize(
    "lie",
    [
        "reset_after",
        "close",
        "hang",
        "truncated",
        "garbage",
        "redirect",
        "status:500",
        "status:502",
        "status:503",
        "status:400",
        "status:404",
        "status:429",
        "status:200:not json",
        "status:201:{}",
        'status:201:{"sid":"","name":""}',
        'status:200:{"sid":null,"name":null}',
        'status:500:{"code":20500,"message":"x"}',
        'status:503:{"error":{"status":"UNAVAILABLE"}}',
    ],
)
async def test_an_answer_that_is_neither_yes_nor_a_documented_no_is_unknown(
    outside: Open, name: str, lie: str
) -> None:
    world = await outside(name)
    await world.send()  # a warm connection: the one on which clients re-send
    world.http.lies.append(lie)
    answer = await world.send()
    assert isinstance(answer, Unknown)
    assert world.requests == 2, "written once"
    assert isinstance(await world.send(), Accepted), "the next message is not disturbed"


@pytest.mark.parametrize("name", HTTP)
async def test_a_reset_before_the_request_was_read_is_never_sent_again(
    outside: Open, name: str
) -> None:
    world = await outside(name)
    if name == "push":
        await world.channel._token.get()  # type: ignore[attr-defined]
        world.http.hang_up()
        await asyncio.sleep(0.05)
    world.http.lies.append("reset_before")
    answer = await world.send()
    # The connection stood, so bytes may have left: only the kernel knows.
    assert isinstance(answer, Unknown | NotSent)
    assert world.requests == 0


@pytest.mark.parametrize("name", HTTP)
async def test_a_stale_connection_is_not_used_twice(outside: Open, name: str) -> None:
    world = await outside(name)
    await world.send()
    world.http.hang_up()
    await asyncio.sleep(0.05)
    assert isinstance(await world.send(), Accepted)
    assert world.requests == 2


@pytest.mark.parametrize("name", ALL)
async def test_a_message_whose_time_is_over_is_not_sent(outside: Open, name: str) -> None:
    world = await outside(name)
    answer = await world.send(seconds=-1)
    assert answer == NotSent("too_late")
    assert world.requests == 0


@pytest.mark.parametrize("name", HTTP)
async def test_no_byte_is_written_after_write_by_though_the_answer_may_come_later(
    outside: Open, name: str
) -> None:
    world = await outside(name)
    now = asyncio.get_running_loop().time()
    late = Deadline(write_by=now, end_by=now + 3)
    assert await world.channel.send(message(name), late) == NotSent("too_late")
    assert world.requests == 0


@pytest.mark.parametrize(
    ("name", "answer", "expected"),
    [
        ("sms", (400, 21211), Rejected("21211", suppress_point=True)),
        ("sms", (400, 21610), Rejected("21610", opted_out=True)),
        ("sms", (429, 20429), Rejected("20429", retryable=True)),
        ("sms", (401, 20003), Rejected("20003", retryable=True, stop_provider=True)),
        ("sms", (400, 21999), Rejected("21999")),
        ("push", (404, "UNREGISTERED"), Rejected("unregistered", suppress_point=True)),
        ("push", (403, "SENDER_ID_MISMATCH"), Rejected("sender_id_mismatch", suppress_point=True)),
        ("push", (429, "QUOTA_EXCEEDED"), Rejected("quota_exceeded", retryable=True)),
        ("push", (400, "INVALID_ARGUMENT"), Rejected("invalid_argument")),
    ],
)
async def test_a_documented_no_is_rejected_with_its_code(
    outside: Open, name: str, answer: tuple[int, object], expected: Rejected
) -> None:
    world = await outside(name)
    status, code = answer
    body = (
        {"code": code, "message": "no", "status": status}
        if name == "sms"
        else {"error": {"status": "X", "details": [{"@type": "FcmError", "errorCode": code}]}}
    )
    world.http.lies.append(f"status:{status}:{json.dumps(body)}")
    assert await world.send() == expected
    assert world.requests == 1


async def test_fcm_says_by_the_violated_field_that_a_token_is_wrong(outside: Open) -> None:
    world = await outside("push")
    details = [
        {"@type": "FcmError", "errorCode": "INVALID_ARGUMENT"},
        {"@type": "BadRequest", "fieldViolations": [{"field": "message.token"}]},
    ]
    body = json.dumps({"error": {"status": "INVALID_ARGUMENT", "details": details}})
    world.http.lies.append(f"status:400:{body}")
    assert await world.send() == Rejected("invalid_token", suppress_point=True)


async def test_fcm_gets_the_expiry_and_the_collapse_key(outside: Open) -> None:
    world = await outside("push")
    one = uuid4()
    await world.send(reminder_id=one)
    (sent,) = world.http.requests
    assert (sent["ttl"], sent["collapse"]) == ("600s", str(one))


async def test_twilio_gets_the_expiry_and_a_callback_that_names_the_attempt(outside: Open) -> None:
    world = await outside("sms")
    one = uuid4()
    await world.send(attempt_id=one, valid_seconds=100_000)
    (sent,) = world.http.requests
    assert sent["ValidityPeriod"] == "36000"
    assert sent["StatusCallback"] == (
        f"https://reminders.example.com/v1/callbacks/twilio/{one}#rc=5&rp=all"
    )


async def test_a_look_up_finds_a_message_and_leaves_those_of_others(outside: Open) -> None:
    world = await outside("sms")
    one = message("sms")
    began = datetime.now(UTC) - timedelta(minutes=1)
    assert await world.channel.look_up(one, frozenset(), began) is None
    await world.send()
    sid = await world.channel.look_up(one, frozenset(), began)
    assert sid
    assert await world.channel.look_up(one, frozenset({sid}), began) is None
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert await world.channel.look_up(one, frozenset(), tomorrow) is None


@pytest.mark.parametrize("sid", ["SM\0x", "SM x\n", "S" * 251])
async def test_a_yes_whose_reference_cannot_be_kept_is_unknown(outside: Open, sid: str) -> None:
    world = await outside("sms")
    world.http.lies.append("status:201:" + json.dumps({"sid": sid, "status": "queued"}))
    assert await world.send() == Unknown("wrong_reference")


async def test_without_a_token_nothing_is_sent_by_push(outside: Open) -> None:
    world = await outside("push")
    world.channel._token._account = read_service_account(  # type: ignore[attr-defined]
        service_account(Path("/tmp"), "http://127.0.0.1:9/token")
    )
    assert await world.send() == NotSent("no_token")
    assert world.requests == 0


async def test_a_token_that_does_not_come_in_time_leaves_nothing_unknown(
    outside: Open, tmp_path: Path
) -> None:
    world = await outside("push")
    over, asked = asyncio.Event(), asyncio.Semaphore(0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.release()
        await over.wait()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        world.channel._token._account = read_service_account(  # type: ignore[attr-defined]
            service_account(tmp_path, f"http://127.0.0.1:{port}/token")
        )
        end = asyncio.get_running_loop().time() + 1000
        sending = [
            asyncio.create_task(call(world.channel, message("push"), deadline(end)))
            for _ in range(3)
        ]
        await asked.acquire()
        with standing_at(end):
            answers = await asyncio.gather(*sending)
        assert asked.locked()  # all three waited for the same answer
        over.set()
    assert answers == [NotSent("no_token")] * 3
    assert world.requests == 0
