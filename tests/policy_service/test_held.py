"""Held: not answered, listed, asked again when what was missing is there, ended by valid_until."""

import asyncio
from datetime import timedelta

from services.policy import held, upkeep
from services.runtime import clock, metrics
from services.runtime.database import transaction
from tests.database import Database
from tests.policy_service.events import AFTERNOON, WINDOW, cancelled, due, pack
from tests.policy_service.world import World


async def test_a_borrower_whose_place_has_no_active_pack_is_held_until_one_is(world: World) -> None:
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.out() == []
    assert await world.held_code() == "held_pack"
    await world.activate("us-fed")
    while await upkeep._sweep_once(world.db, world.rule_sets, world.outbox):
        pass
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]
    assert await world.held_code() is None


async def test_house_rules_alone_are_no_rules_of_a_place(world: World) -> None:
    await world.activate("house")
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_pack"


async def test_who_may_live_anywhere_is_not_judged_by_the_pack_of_one_state(world: World) -> None:
    await world.activate("us-ma")
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_pack"
    await world.borrower("ada", subdivision="MA", version=2)
    assert await world.held_code() is None


async def test_an_unknown_borrower_is_held_until_their_place_is_known(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.phone("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_zone"
    await world.borrower("ada")
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]
    assert await world.held_code() is None


async def test_without_a_contact_point_it_is_held_until_there_is_one(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.borrower("ada")
    await world.debt("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_address"
    await world.phone("ada")
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]


async def test_a_contact_point_that_is_unusable_is_none(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.borrower("ada")
    await world.phone("ada", usable=False)
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_address"


async def test_with_no_zone_but_a_country_every_zone_of_it_must_allow(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada", zones=())
    await world.at(AFTERNOON + timedelta(hours=23))  # 13:00 in New York, 07:00 in Honolulu
    await world.send("reminder.due", due("ada"))
    [event] = await world.out()
    assert (event["topic"], event["code"]) == ("reminder.deferred", "outside_contact_window")


async def test_where_nobody_knows_the_country_it_is_held(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada", zones=(), country="XX")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_pack"


async def test_rules_that_can_not_be_read_hold(world: World) -> None:
    await world.rules("pack: us-fed\nrules: nonsense\n")
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_rules"


async def test_a_fact_that_can_not_be_judged_holds_that_reminder_and_no_other(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada", zones=("Mars/Olympus",))
    await world.person("bea")
    await world.send("reminder.due", due("ada"), due("bea"))
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]
    assert await world.held_code() == "held_error"
    await world.borrower("ada", version=2)
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]


async def test_what_is_held_ends_at_valid_until_with_its_reason(world: World) -> None:
    await world.person("ada")
    await world.send("reminder.due", due("ada", valid_until=AFTERNOON + timedelta(hours=1)))
    await world.at(AFTERNOON + timedelta(hours=1))
    await upkeep._sweep_once(world.db, world.rule_sets, world.outbox)
    [event] = await world.out()
    assert (event["topic"], event["code"]) == ("reminder.suppressed", "held_pack")
    assert await world.held_code() is None


async def test_a_cancelled_reminder_is_held_no_longer(world: World) -> None:
    await world.person("ada")
    asked = due("ada")
    await world.send("reminder.due", asked)
    await world.send("reminder.cancelled", cancelled(asked))
    assert await world.held_code() is None


async def test_the_sweep_wakes_when_the_business_clock_is_stepped(
    world: World, database: Database
) -> None:
    await world.person("ada")
    await world.send("reminder.due", due("ada", valid_until=AFTERNOON + timedelta(hours=1)))
    stepped = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(clock.listen(database.dsn("policy"), stepped.set))
        await stepped.wait()
        sweep = tasks.create_task(
            upkeep.sweep_held(world.db, world.rule_sets, world.outbox, stepped)
        )
        await world.at(AFTERNOON + timedelta(hours=2))
        while not await world.rows("outbox"):
            await asyncio.sleep(0.02)
        sweep.cancel()
        listening.cancel()


async def test_the_gauge_shows_every_code_also_when_nobody_waits(world: World) -> None:
    def shown(code: str) -> float | None:
        return metrics.REGISTRY.get_sample_value("dunwell_held_reminders", {"code": code})

    async def count() -> None:
        async with transaction(world.db) as connection:
            await upkeep.count_held(connection)

    await world.rules(pack(WINDOW))
    await world.phone("ada")
    await world.send("reminder.due", due("ada"))
    await count()
    assert shown("held_zone") == 1
    await world.borrower("ada")
    await count()
    # A series that begins at 0 is one that an alarm sees rise.
    assert {code: shown(code) for code in held.CODES} == dict.fromkeys(held.CODES, 0)
