"""The mail server, asked by aiosmtplib."""

import asyncio
from email.message import EmailMessage

import aiosmtplib
import pytest

from tests.loop_time import standing_at
from tests.sandbox.conftest import ATTEMPT, REMINDER, Outside, Outsides


def mail(to: str = "borrower@example.com", text: str = "Fällig am 1. März") -> EmailMessage:
    message = EmailMessage()
    message["From"] = "reminders@lender.example"
    message["To"] = to
    message["Subject"] = "Your installment"
    message["Message-ID"] = f"<{ATTEMPT}@mail.lender.example>"
    message["X-Dunwell-Reminder-Id"] = REMINDER
    message.set_content(text)
    message.add_alternative(f"<p>{text}</p>", subtype="html")
    return message


async def deliver(world: Outside, message: EmailMessage, timeout: float = 30) -> str:
    _, answer = await aiosmtplib.send(
        message, hostname="127.0.0.1", port=world.running.smtp_port, timeout=timeout
    )
    return answer


async def test_a_mail_is_kept_with_its_ids_and_text(outside: Outsides) -> None:
    async with outside() as world:
        assert "queued as" in await deliver(world, mail())
        request, (reply,) = world.request(), world.events("reply")
    assert (request["attempt_id"], request["reminder_id"]) == (ATTEMPT, REMINDER)
    assert (request["to"], request["sender"]) == (
        "borrower@example.com",
        "reminders@lender.example",
    )
    assert request["subject"] == "Your installment"
    assert request["text"].strip() == "Fällig am 1. März"
    assert (request["accepted"], reply["status"]) == (True, 250)


async def test_an_attempt_id_header_or_return_path_serves_as_well(outside: Outsides) -> None:
    async with outside() as world:
        for replaced, header, sender in [
            ("<1@x.example>", ATTEMPT, None),
            ("<2@x.example>", "", f"bounces+{ATTEMPT}@lender.example"),
        ]:
            message = mail()
            message.replace_header("Message-ID", replaced)
            if header:
                message["X-Attempt-Id"] = header
            await aiosmtplib.send(
                message, sender=sender, hostname="127.0.0.1", port=world.running.smtp_port
            )
        assert [e["attempt_id"] for e in world.events("request")] == [ATTEMPT] * 2


@pytest.mark.parametrize(
    ("who", "code"),
    [
        ("bounce-hard", 550),
        ("bounce-soft+7", 450),
        ("mailbox-full", 452),
    ],
)
async def test_a_magic_recipient_is_refused_at_rcpt(outside: Outsides, who: str, code: int) -> None:
    async with outside() as world:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await deliver(world, mail(f"{who}@example.com"))
        assert refused.value.recipients[0].code == code
        assert world.request()["accepted"] is False
        assert world.request()["status"] == code


@pytest.mark.parametrize(
    ("who", "code"), [("spam", 554), ("unsigned", 550), ("429", 451), ("500", 554), ("503", 421)]
)
async def test_a_magic_recipient_is_refused_after_the_dot(
    outside: Outsides, who: str, code: int
) -> None:
    async with outside() as world:
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await deliver(world, mail(f"{who}@example.com"))
        assert refused.value.code == code
        request = world.request()
        assert (request["accepted"], request["status"]) == (False, code)
        assert request["attempt_id"] == ATTEMPT


@pytest.mark.parametrize(
    ("who", "accepted"),
    [
        ("accept-timeout", True),
        ("timeout", False),
        ("accept-reset", True),
        ("reset", False),
        ("garbage", True),
    ],
)
async def test_an_answer_that_tells_nothing_is_recorded_with_what_really_happened(
    outside: Outsides, who: str, accepted: bool
) -> None:
    async with outside() as world:
        with pytest.raises((aiosmtplib.SMTPException, OSError)):
            await deliver(world, mail(f"{who}@example.com"))
        request = world.request()
        assert (request["accepted"], request["status"]) == (accepted, None)
        assert request["attempt_id"] == ATTEMPT


async def test_a_caller_who_gives_up_waiting_changes_nothing(outside: Outsides) -> None:
    async with outside(hold_seconds=300) as world:
        end = asyncio.get_running_loop().time() + 60
        giving_up = asyncio.create_task(deliver(world, mail("accept-timeout@example.com")))
        while not world.events("request"):
            await asyncio.sleep(0.01)
        with standing_at(end), pytest.raises(aiosmtplib.SMTPException):
            await giving_up
        assert "queued" in await deliver(world, mail())
        assert [e["accepted"] for e in world.events("request")] == [True, True]


async def test_a_greylisted_sender_gets_in_at_the_second_try(outside: Outsides) -> None:
    async with outside() as world:
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
            await deliver(world, mail("greylist@example.com"))
        await deliver(world, mail("greylist@example.com"))
        assert [e["accepted"] for e in world.events("request")] == [False, True]


async def test_one_connection_carries_many_mails_and_any_login_is_good(
    outside: Outsides,
) -> None:
    async with outside() as world:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=world.running.smtp_port)
        async with client:
            await client.login("anybody", "anything")
            for _ in range(20):
                await client.send_message(mail())
        assert len(world.events("request")) == 20


async def test_a_mail_in_no_known_encoding_is_recorded_all_the_same(outside: Outsides) -> None:
    raw = b"Subject: F\xe4llig\r\nMessage-ID: <%s@x.example>\r\n\r\nam 1. M\xe4rz\r\n" % (
        ATTEMPT.encode()
    )
    async with outside() as world:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=world.running.smtp_port)
        async with client:
            await client.sendmail("a@example.com", ["borrower@example.com"], raw)
        request = world.request()
        assert (request["accepted"], request["attempt_id"]) == (True, ATTEMPT)
        assert "rz" in request["text"]
