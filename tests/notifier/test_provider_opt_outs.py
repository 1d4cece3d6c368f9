"""Stops and starts that the SMS provider keeps: its keywords, its 21610."""

from pathlib import Path

import pytest

from services.runtime import migrate
from tests.notifier.test_callbacks import call_back
from tests.notifier.test_inbound import PHONE, blocked, until, write
from tests.notifier.world import World, allowed

SCHEMA = Path(migrate.__file__).parents[1] / "notifier" / "schema"


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
