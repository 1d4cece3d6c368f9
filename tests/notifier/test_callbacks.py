"""Twilio's callbacks: genuine ones move receipts upward, all others change nothing."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from twilio.request_validator import RequestValidator

from services.events.words import AttemptState
from services.notifier.callbacks import Callbacks
from services.notifier.observe import Seen
from services.notifier.settings import Settings
from services.runtime import database
from services.runtime.metrics import ATTEMPTS
from services.runtime.outbox import Outbox
from services.runtime.settings import read
from services.runtime.streams import open_stream
from tests.notifier.deadlocks import deadlocked
from tests.notifier.world import AUTH_TOKEN, World, allowed

PUBLIC = "https://reminders.example.com"
PHONE = "+12025550143"


async def call_back(
    world: World,
    attempt_id: UUID | str,
    status: str,
    sid: str,
    *,
    token: str = AUTH_TOKEN,
    **more: str,
) -> int:
    path = f"/v1/callbacks/twilio/{attempt_id}"
    form = {"MessageSid": sid, "MessageStatus": status, "To": PHONE, **more}
    signature = RequestValidator(token).compute_signature(PUBLIC + path, form)
    async with world.session.post(
        world.url + path, data=form, headers={"X-Twilio-Signature": signature}
    ) as response:
        return response.status


async def sent(world: World) -> tuple[Any, asyncpg.Record]:
    event = allowed(await world.addresses("ref-1", mobile=PHONE))
    await world.publish(event)
    return event, await world.until_state(event.reminder_id, "accepted", "unknown")


async def test_statuses_move_an_attempt_upward_and_only_upward(running: World) -> None:
    event, row = await sent(running)
    one, sid = row["attempt_id"], row["provider_ref"]
    assert await call_back(running, one, "sent", sid) == 204
    assert await running.state(event.reminder_id) == "accepted"
    assert await call_back(running, one, "delivered", sid) == 204
    assert await running.state(event.reminder_id) == "delivered"
    for late in ("queued", "sent", "undelivered", "delivered"):
        assert await call_back(running, one, late, sid) == 204
    assert await running.state(event.reminder_id) == "delivered"
    assert await running.receipts(event.reminder_id) == [
        ("accepted", "sent", None),
        ("delivered", "sent", None),
    ]


async def test_a_replayed_callback_changes_nothing(running: World) -> None:
    _, row = await sent(running)
    for _ in range(3):
        await call_back(running, row["attempt_id"], "delivered", row["provider_ref"])
    count = await running.owner.fetchval("SELECT count(*) FROM notifier.observations")
    assert count == 1


@pytest.mark.parametrize(
    "forgery",
    [
        {"token": "another-token"},
        {"path": "/v1/callbacks/twilio/{other}"},
        {"host": "evil.example.com"},
        {"signature": ""},
    ],
)
async def test_a_forged_callback_is_refused(running: World, forgery: dict[str, str]) -> None:
    event, row = await sent(running)
    path = f"/v1/callbacks/twilio/{row['attempt_id']}"
    form = {"MessageSid": row["provider_ref"], "MessageStatus": "delivered"}
    signed = forgery.get("path", path).format(other=uuid4())
    signed = f"https://{forgery['host']}{path}" if "host" in forgery else PUBLIC + signed
    signature = RequestValidator(forgery.get("token", AUTH_TOKEN)).compute_signature(signed, form)
    headers = {"X-Twilio-Signature": forgery.get("signature", signature)}
    if "host" in forgery:
        headers |= {"Host": forgery["host"], "X-Forwarded-Host": forgery["host"]}
    async with running.session.post(running.url + path, data=form, headers=headers) as response:
        assert response.status == 403
    assert await running.state(event.reminder_id) == "accepted"


async def test_a_tampered_callback_is_refused(running: World) -> None:
    event, row = await sent(running)
    path = f"/v1/callbacks/twilio/{row['attempt_id']}"
    form = {"MessageSid": row["provider_ref"], "MessageStatus": "sent"}
    signature = RequestValidator(AUTH_TOKEN).compute_signature(PUBLIC + path, form)
    async with running.session.post(
        running.url + path,
        data=form | {"MessageStatus": "delivered"},
        headers={"X-Twilio-Signature": signature},
    ) as response:
        assert response.status == 403
    assert await running.state(event.reminder_id) == "accepted"


async def test_a_callback_for_an_attempt_of_nobody_is_not_found(running: World) -> None:
    assert await call_back(running, uuid4(), "delivered", "SM0123456789") == 404
    assert await call_back(running, "not-a-uuid", "delivered", "SM0123456789") == 404


async def test_a_status_that_nobody_knows_is_refused(running: World) -> None:
    event, row = await sent(running)
    assert await call_back(running, row["attempt_id"], "teleported", row["provider_ref"]) == 422
    assert await running.state(event.reminder_id) == "accepted"


async def test_a_callback_before_the_answer_is_kept(running: World) -> None:
    running.http.answering.clear()
    event = allowed(await running.addresses("ref-1", mobile=PHONE))
    await running.publish(event)
    row = await running.until_state(event.reminder_id, "in_flight")
    assert await call_back(running, row["attempt_id"], "delivered", "SM0123456789") == 204
    assert await running.state(event.reminder_id) == "delivered"
    running.http.answering.set()
    # The answer comes, and finds a higher state.
    await running.until("SELECT count(*) = 1 FROM notifier.observations WHERE source = 'answer'")
    assert await running.state(event.reminder_id) == "delivered"
    assert await running.receipts(event.reminder_id) == [("delivered", "sent", None)]


async def test_a_callback_proves_an_unknown_outcome(running: World) -> None:
    running.http.lies.append("reset_after")
    event, row = await sent(running)
    assert row["state"] == "unknown"
    await call_back(running, row["attempt_id"], "sent", "SM0123456789")
    assert await running.state(event.reminder_id) == "accepted"
    assert (await running.receipts(event.reminder_id))[-1] == ("accepted", "sent", None)


async def test_a_late_callback_corrects_an_abandoned_outcome(world: World) -> None:
    await world.start(DUNWELL_ABANDON_SECONDS="0.5", DUNWELL_LOOK_UP_SECONDS="60")
    world.http.lies.append("reset_after")
    event, row = await sent(world)
    await world.until_state(event.reminder_id, "abandoned")
    await call_back(world, row["attempt_id"], "delivered", "SM0123456789")
    assert await world.state(event.reminder_id) == "accepted_late"
    assert (await world.receipts(event.reminder_id))[-1] == ("accepted_late", "sent", None)


async def test_a_handset_that_does_not_exist_is_never_written_to_again(running: World) -> None:
    event, row = await sent(running)
    await call_back(
        running, row["attempt_id"], "undelivered", row["provider_ref"], ErrorCode="30005"
    )
    row = (await running.attempts(event.reminder_id))[0]
    assert (row["state"], row["code"]) == ("undelivered", "30005")
    assert (
        await running.owner.fetchval("SELECT unusable_code FROM notifier.contact_points") == "30005"
    )


async def test_a_validity_that_ended_first_is_expired(running: World) -> None:
    event, row = await sent(running)
    await call_back(running, row["attempt_id"], "failed", row["provider_ref"], ErrorCode="30036")
    assert await running.state(event.reminder_id) == "expired"


async def test_many_callbacks_at_once_are_all_kept(running: World) -> None:
    borrower = await running.addresses("ref-1", mobile=PHONE)
    events = [allowed(borrower) for _ in range(30)]
    await running.publish(*events)
    rows = [await running.until_state(e.reminder_id, "accepted") for e in events]
    answers = await asyncio.gather(
        *(
            call_back(running, row["attempt_id"], status, row["provider_ref"])
            for row in rows
            for status in ("delivered", "queued", "sent", "delivered")
        )
    )
    assert set(answers) == {204}
    for event in events:
        assert await running.state(event.reminder_id) == "delivered"


async def test_callbacks_that_lose_a_deadlock_are_kept_all_the_same(running: World) -> None:
    borrower = await running.addresses("ref-1", mobile=PHONE)
    events = [allowed(borrower) for _ in range(2)]
    await running.publish(*events)
    first, second = sorted(
        [(await running.until_state(e.reminder_id, "accepted"))["attempt_id"] for e in events]
    )
    lock = "SELECT FROM notifier.attempts WHERE attempt_id = '{}' FOR UPDATE"
    settings = read(Settings, running.settings)
    async with (
        database.pool(settings.database_url, schema="notifier") as db,
        open_stream(settings) as stream,
    ):
        callbacks = Callbacks(db, Outbox(db, await stream.producer()))
        task = asyncio.create_task(callbacks.run())
        async with deadlocked(running, lock.format(second), lock.format(first)):
            answers = [
                asyncio.create_task(
                    callbacks.apply(
                        Seen(one, "callback", AttemptState.DELIVERED, "delivered", "SM0123456789")
                    )
                )
                for one in (first, second)
            ]
        assert await asyncio.gather(*answers) == [True, True]
        task.cancel()
    for event in events:
        assert await running.state(event.reminder_id) == "delivered"


async def test_what_a_callback_tells_is_counted_once_though_it_is_written_twice(
    running: World,
) -> None:
    event, row = await sent(running)
    counter = ATTEMPTS.labels("twilio", "undelivered")._value
    before = counter.get()
    # It has raised the attempt, and waits for the number, when it loses.
    lock = "SELECT FROM notifier.{} FOR UPDATE"
    async with deadlocked(running, lock.format("contact_points"), lock.format("attempts")):
        answer = asyncio.create_task(
            call_back(
                running, row["attempt_id"], "undelivered", row["provider_ref"], ErrorCode="30005"
            )
        )
    assert await answer == 204
    assert await running.state(event.reminder_id) == "undelivered"
    assert counter.get() == before + 1
