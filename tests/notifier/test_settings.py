"""Wrong settings stop the start with a sentence that names the variable, and no secret."""

import asyncio
import json
import os
import sys
from pathlib import Path

import asyncpg
import pytest

from services.notifier import app
from services.notifier.settings import Settings
from services.runtime import clock
from services.runtime.settings import SettingsError, read
from tests.notifier.world import PATIENCE_SECONDS, World, allowed


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"DUNWELL_ADDRESS_KEYS": "k1:short"}, "DUNWELL_ADDRESS_KEYS"),
        ({"DUNWELL_PUBLIC_URL": "reminders.example.com"}, "DUNWELL_PUBLIC_URL"),
        ({"DUNWELL_TWILIO_FROM": ""}, "DUNWELL_TWILIO_FROM"),
        ({"DUNWELL_MAIL_FROM": ""}, "DUNWELL_MAIL_FROM"),
        ({"DUNWELL_SENDER_NAME": ""}, "DUNWELL_SENDER_NAME"),
        ({"DUNWELL_SENDER_NAME": "a\nb"}, "DUNWELL_SENDER_NAME"),
        ({"DUNWELL_SENDER_NAMES": "harbor=A;harbor=B"}, "DUNWELL_SENDER_NAMES"),
        ({"DUNWELL_SENDER_NAMES": "Harbor Lending"}, "DUNWELL_SENDER_NAMES"),
        ({"DUNWELL_SERVICE_KEY": ""}, "DUNWELL_SERVICE_KEY"),
        ({"DUNWELL_FCM_SERVICE_ACCOUNT_FILE": "/no/such"}, "ACCOUNT_FILE: cannot read that file"),
        ({"DUNWELL_FCM_SERVICE_ACCOUNT_FILE": __file__}, "ACCOUNT_FILE: is not a service account"),
    ],
)
async def test_a_wrong_variable_is_named(world: World, change: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=named) as raised:
        read(Settings, world.settings | change)
    assert "short" not in str(raised.value)


async def test_only_a_trial_may_leave_unsaid_who_writes(world: World) -> None:
    nameless = world.settings | {"DUNWELL_SENDER_NAME": ""}
    assert read(Settings, nameless | {"DUNWELL_SANDBOX": "1"})
    assert read(Settings, nameless | {"DUNWELL_SENDER_NAMES": "harbor=Harbor Lending"})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"DUNWELL_TWILIO_API_URL": ""}, "DUNWELL_TWILIO_API_URL"),
        ({"DUNWELL_SMTP_HOST": "mail.example.com"}, "DUNWELL_SMTP_HOST"),
        ({"DUNWELL_FCM_API_URL": "https://fcm.example.com"}, "DUNWELL_FCM_API_URL"),
    ],
)
async def test_a_trial_with_a_provider_elsewhere_must_say_who_writes(
    world: World, change: dict[str, str], named: str
) -> None:
    trial = world.settings | {"DUNWELL_SANDBOX": "1"} | change
    assert read(Settings, trial)
    with pytest.raises(
        SettingsError, match=f"beyond this machine is {named}: set DUNWELL_SENDER_NAME"
    ):
        read(Settings, trial | {"DUNWELL_SENDER_NAME": ""})


@pytest.mark.parametrize(
    "elsewhere", [{}, {"DUNWELL_SANDBOX": "1", "DUNWELL_SMTP_HOST": "mail.example.com"}]
)
async def test_nothing_is_sent_in_the_name_of_nobody(
    world: World, capfd: pytest.CaptureFixture[str], elsewhere: dict[str, str]
) -> None:
    names = {"DUNWELL_SENDER_NAME": "", "DUNWELL_SENDER_NAMES": "acme=Acme Bank"}
    await world.start(**names, **elsewhere)
    event = allowed(await world.addresses("ref-1", mobile="+12025550143"))
    await world.publish(event)
    said = ""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while "message_unprepared" not in said:
            await asyncio.sleep(0.02)
            said += capfd.readouterr().err
    assert '"error":"NoSender"' in said
    assert await world.state(event.reminder_id) == "intent"
    assert world.http.requests == []


async def test_no_channel_at_all_is_refused(world: World) -> None:
    bare = {
        name: value
        for name, value in world.settings.items()
        if not any(part in name for part in ("TWILIO", "SMTP", "FCM"))
    }
    with pytest.raises(SettingsError, match="no channel"):
        read(Settings, bare)


async def test_a_private_key_that_is_none_is_named_and_not_quoted(world: World) -> None:
    path = Path(world.settings["DUNWELL_FCM_SERVICE_ACCOUNT_FILE"])
    path.write_text(json.dumps(json.loads(path.read_text()) | {"private_key": "not a key"}))
    with pytest.raises(SettingsError, match="ACCOUNT_FILE: has a private_key that is none") as said:
        read(Settings, world.settings)
    assert "not a key" not in str(said.value)


async def test_a_stepped_clock_without_the_sandbox_ends_the_process_with_a_sentence(
    world: World,
) -> None:
    owner = await asyncpg.connect(world.database.admin_dsn)
    await clock.install_stepped(owner, await clock.gate_now(owner))
    await owner.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.notifier",
        env=os.environ | world.settings,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2
    assert b"set DUNWELL_SANDBOX=1" in said
    assert b"Traceback" not in said


async def test_a_stepped_clock_sends_to_the_sandbox_only(world: World) -> None:
    owner = await asyncpg.connect(world.database.admin_dsn)
    now = await clock.gate_now(owner)
    await clock.install_stepped(owner, now)
    await owner.close()
    for change in ({}, {"DUNWELL_SANDBOX": "1", "DUNWELL_SMTP_HOST": "mail.example.com"}):
        with pytest.raises(app.SteppedClock, match="DUNWELL_SANDBOX"):
            await app.run(read(Settings, world.settings | change))
    await world.start(DUNWELL_SANDBOX="1")
    event = allowed(await world.addresses("ref-1", mobile="+12025550143"))
    await world.publish(event)
    await world.until_state(event.reminder_id, "accepted")
