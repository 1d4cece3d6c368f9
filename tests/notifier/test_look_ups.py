"""What a provider shows of a message whose outcome is unknown, and when it is asked."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from services.notifier.sweeps import LOOK_UPS
from tests.notifier.test_states import everywhere, states
from tests.notifier.world import World, allowed


async def as_unknown(world: World, count: int) -> None:
    """So many attempts that the provider took, but nobody knows."""
    await world.start()
    for n in range(count):
        borrower = await world.addresses(f"ref-{n}", mobile=f"+120255501{n:02}")
        event = allowed(borrower, outstanding_minor=10_000 + n)  # no two texts are the same
        await world.publish(event)
        await world.until_state(event.reminder_id, "accepted")
    await world.stop()
    await world.owner.execute(
        "UPDATE notifier.attempts a SET state = 'unknown', provider_ref = NULL,"
        " in_flight_at = now() - interval '3 minutes',"
        " ended_at = now() - interval '2 minutes' + n * interval '1 millisecond'"
        " FROM (SELECT attempt_id, row_number() OVER (ORDER BY created_at) AS n"
        " FROM notifier.attempts) AS o"
        " WHERE o.attempt_id = a.attempt_id"
    )


async def test_every_unknown_has_its_turn_however_many_there_are(world: World) -> None:
    await as_unknown(world, LOOK_UPS + 3)
    newest = await world.owner.fetchval(
        "SELECT reminder_id FROM notifier.attempts ORDER BY ended_at DESC LIMIT 1"
    )
    world.http.listed[:-1] = []  # the provider shows only the newest
    await world.start(DUNWELL_LOOK_UP_SECONDS="0.1")
    await world.until_state(newest, "accepted")


async def test_an_unknown_that_can_not_be_prepared_starves_no_other(world: World) -> None:
    await as_unknown(world, 2)
    oldest, newest = await world.owner.fetch(
        "SELECT reminder_id, borrower_id FROM notifier.attempts ORDER BY ended_at"
    )
    await world.owner.execute(
        "UPDATE notifier.addresses SET key_id = 'gone' WHERE borrower_id = $1",
        oldest["borrower_id"],
    )
    await world.start(DUNWELL_LOOK_UP_SECONDS="0.1")
    await world.until_state(newest["reminder_id"], "accepted")
    assert await world.state(oldest["reminder_id"]) == "unknown"


async def test_an_unknown_whose_address_is_gone_keeps_no_other_waiting(world: World) -> None:
    await as_unknown(world, LOOK_UPS + 1)
    newest = await world.owner.fetchrow(
        "SELECT reminder_id, borrower_id FROM notifier.attempts ORDER BY ended_at DESC LIMIT 1"
    )
    await world.owner.execute(
        "UPDATE notifier.addresses SET removed_at = now(), sealed = NULL WHERE borrower_id <> $1",
        newest["borrower_id"],
    )
    await world.start(DUNWELL_LOOK_UP_SECONDS="100")  # one turn, and what comes at once after it
    await world.until_state(newest["reminder_id"], "accepted")


async def test_a_look_up_that_finds_the_message_proves_it(world: World) -> None:
    await world.start(DUNWELL_LOOK_UP_SECONDS="0.1")
    event = allowed(await everywhere(world))
    world.http.lies.append("hang")  # accepted, and listed, but never answered
    await world.publish(event)
    row = await world.until_state(event.reminder_id, "accepted")
    assert row["provider_ref"] == world.http.listed[0]["sid"]
    assert len(world.http.requests) == 1


async def test_a_look_up_that_finds_nothing_proves_nothing(world: World) -> None:
    await world.start(DUNWELL_LOOK_UP_SECONDS="0.1")
    event = allowed(await everywhere(world))
    world.http.lies.append("close")
    await world.publish(event)
    await world.until_state(event.reminder_id, "unknown")
    await asyncio.sleep(0.5)
    assert await states(world, event) == [("sms", "unknown")]
    assert len(world.http.requests) == 1


async def test_an_earlier_message_of_the_same_text_is_no_proof(world: World) -> None:
    """The overdue steps of a cadence may all say the same."""
    await world.start(DUNWELL_LOOK_UP_SECONDS="0.1")
    borrower = await everywhere(world)
    earlier = allowed(borrower)
    await world.publish(earlier)
    await world.until_state(earlier.reminder_id, "accepted")
    await world.owner.execute(
        "UPDATE notifier.attempts SET created_at = created_at - interval '7 days',"
        " in_flight_at = in_flight_at - interval '7 days'"
    )
    for message in world.http.listed:
        message["date_created"] = format_datetime(datetime.now(UTC) - timedelta(days=7))
    known = await world.owner.execute("UPDATE notifier.attempts SET provider_ref = 'SM-else'")
    assert known == "UPDATE 1"  # as if another system had sent it
    world.http.lies.append("close")
    today = allowed(borrower)
    await world.publish(today)
    await world.until_state(today.reminder_id, "unknown")
    looked = "SELECT max(looked_up_at) FROM notifier.attempts"
    await world.until(f"SELECT ({looked}) IS NOT NULL")
    first = await world.owner.fetchval(looked)
    await world.until(f"SELECT ({looked}) > $1", first)  # so the first has been answered
    assert (await world.attempts(today.reminder_id))[-1]["state"] == "unknown"
