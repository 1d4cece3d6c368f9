"""What a mail server's silences and answers mean: not sent, rejected or unknown."""

import asyncio

import pytest

from services.notifier.channels import Accepted, Deadline, NotSent, Rejected, Unknown
from services.notifier.channels.smtp_email import SmtpEmail
from tests.loop_time import standing_at
from tests.notifier.outside import Open, deadline, message


@pytest.mark.parametrize("stage", ["greeting", "mail", "rcpt", "data"])
@pytest.mark.parametrize("lie", ["reset", "close", "hang", "gibberish"])
async def test_mail_that_fails_before_its_content_is_not_sent(
    outside: Open, stage: str, lie: str
) -> None:
    world = await outside("email")
    world.mail.lies[stage] = lie
    answer = await world.send()
    assert isinstance(answer, NotSent)
    assert world.requests == 0
    assert isinstance(await world.send(), Accepted)


async def test_no_content_follows_a_go_ahead_that_comes_after_write_by(outside: Open) -> None:
    world = await outside("email")
    world.mail.lies["data"] = "hang"
    now = asyncio.get_running_loop().time()
    limits = Deadline(write_by=now + 30, end_by=now + 60)
    sending = asyncio.create_task(world.channel.send(message("email"), limits))
    await world.mail.silent.wait()
    with standing_at(limits.write_by):
        assert await sending == NotSent("timed_out")
    assert world.requests == 0


async def test_lines_that_begin_with_a_dot_arrive_as_they_are(outside: Open) -> None:
    world = await outside("email")
    assert isinstance(await world.send(body="one\n.\n..two\nthree."), Accepted)
    (mail,) = world.mail.mails
    assert mail.endswith(b"\r\n\r\none\r\n..\r\n...two\r\nthree.\r\n.\r\n")  # RFC 5321, 4.5.2


@pytest.mark.parametrize("lie", ["reset", "close", "hang", "gibberish", "251 what"])
async def test_mail_whose_final_dot_is_not_answered_is_unknown(outside: Open, lie: str) -> None:
    world = await outside("email")
    await world.send()
    world.mail.lies["dot"] = lie
    answer = await world.send()
    assert isinstance(answer, Unknown)
    assert world.requests == 2
    assert isinstance(await world.send(), Accepted)


@pytest.mark.parametrize(
    ("stage", "reply", "expected"),
    [
        ("rcpt", "550 5.1.1 no such user", Rejected("550_5.1.1", suppress_point=True)),
        ("rcpt", "452 4.2.2 full", Rejected("452_4.2.2", retryable=True)),
        ("rcpt", "550 no", Rejected("550")),
        ("mail", "421 4.3.2 later", Rejected("421_4.3.2", retryable=True)),
        # Not this message: whoever is on a block list, or not known there, can send none.
        (
            "greeting",
            "554 5.7.1 no mail from here",
            Rejected("554_5.7.1", retryable=True, stop_provider=True),
        ),
        (
            "mail",
            "550 5.1.1 no such sender",
            Rejected("550_5.1.1", retryable=True, stop_provider=True),
        ),
        ("data", "451 4.7.1 greylisted", Rejected("451_4.7.1", retryable=True)),
        ("data", "554 5.5.1 no valid recipients", Rejected("554_5.5.1")),
        ("dot", "554 5.7.1 spam", Rejected("554_5.7.1")),
        ("dot", "450 4.2.1 busy", Rejected("450_4.2.1", retryable=True)),
    ],
)
async def test_a_mail_servers_no_is_rejected_with_its_code(
    outside: Open, stage: str, reply: str, expected: Rejected
) -> None:
    world = await outside("email")
    world.mail.lies[stage] = reply
    assert await world.send() == expected
    assert isinstance(await world.send(), Accepted)


async def test_an_idle_connection_that_the_relay_closed_is_replaced(outside: Open) -> None:
    world = await outside("email")
    await world.send()
    world.mail.hang_up()
    await asyncio.sleep(0.05)
    assert isinstance(await world.send(), Accepted)
    assert world.requests == 2


@pytest.mark.parametrize(
    ("host", "tls", "start_tls", "why"),
    [
        ("127.0.0.1", True, False, "tls_failed"),  # it answers in clear text
        ("127.0.0.1", False, True, "tls_failed"),  # it offers no STARTTLS
        ("nowhere.invalid", False, False, "name_unresolved"),
    ],
)
async def test_why_a_relay_was_not_reached_is_told(
    outside: Open, host: str, tls: bool, start_tls: bool, why: str
) -> None:
    world = await outside("email")
    channel = SmtpEmail(
        host=host,
        port=world.mail.port,
        username=None,
        password=None,
        tls=tls,
        start_tls=start_tls,
        mail_from="reminders@example.com",
        connections=1,
    )
    end = asyncio.get_running_loop().time() + 10
    assert await channel.send(message("email"), deadline(end)) == NotSent(why)
