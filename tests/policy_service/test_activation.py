"""Packs put in force and ended: by whom, from when on, and what waits for it."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from services.policy import upkeep
from services.policy.activation import Activation, Deactivation, activate, deactivate
from services.policy.pack import hash_of
from services.policy.pack_lint import SHIPPED
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.database import Database
from tests.policy_service.events import AFTERNOON, TENANT, due
from tests.policy_service.world import World


async def test_what_was_answered_about_the_rules_holds_within_the_same_second(world: World) -> None:
    """Decisions are made by the whole second, so packs begin and end by it as well."""
    await world.at(AFTERNOON + timedelta(microseconds=700_000))
    await world.person("ada")
    await world.activate("us-fed")
    await world.send("reminder.due", due("ada"))
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]
    ended = Deactivation(pack="us-fed", by="ann", approved_by="bob")
    async with transaction(world.db) as connection:
        await deactivate(connection, world.rule_sets, TENANT, ended)
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_pack"


async def test_what_is_held_is_asked_again_when_a_recorded_activation_begins_and_when_it_ends(
    world: World,
) -> None:
    begins, ends = AFTERNOON + timedelta(hours=1), AFTERNOON + timedelta(hours=2)
    await world.person("ada")
    await world.person("bea", tenant="zeta")
    await world.send("reminder.due", due("ada"), due("bea", tenant="zeta"))
    async with transaction(world.db) as connection:
        for pack_id in ("us-fed", "us-nyc"):
            later = Activation(pack=pack_id, by="ann", approved_by="bob", active_from=begins)
            await activate(connection, world.rule_sets, TENANT, later, sandbox=True)
        ended = Deactivation(pack="us-nyc", by="ann", approved_by="bob", at=ends)
        await deactivate(connection, world.rule_sets, TENANT, ended)
    # As long after as the slow sweep waits at most: nothing but a change hastens it.
    await world.owner.execute("UPDATE policy.held SET retry_at = now() + interval '1 hour'")
    assert not await upkeep._sweep_once(world.db, world.rule_sets, world.outbox)
    assert await world.out() == []

    await world.at(begins)
    await upkeep._sweep_once(world.db, world.rule_sets, world.outbox)
    [event] = await world.out()
    assert (event["topic"], event["tenant"]) == ("reminder.allowed", TENANT)
    assert [row["tenant"] for row in await world.rows("held")] == ["zeta"]

    # Held again, for another reason; the end of a pack is noticed as its beginning was.
    await world.borrower("ada", zones=("Mars/Olympus",), version=2)
    await world.send("reminder.due", due("ada"))
    await world.owner.execute("UPDATE policy.held SET retry_at = now() + interval '1 hour'")
    hours = "SELECT count(*) FROM policy.held WHERE retry_at > now() + interval '30 minutes'"
    assert not await upkeep._sweep_once(world.db, world.rule_sets, world.outbox)
    assert await world.owner.fetchval(hours) == 2
    await world.at(ends)
    await upkeep._sweep_once(world.db, world.rule_sets, world.outbox)
    assert await world.owner.fetchval(hours) == 1


async def test_what_is_hastened_is_locked_in_the_order_in_which_everybody_locks_it(
    world: World, database: Database
) -> None:
    """Who held the later row while waiting for the earlier would be in a circle with others."""
    await world.person("ada")
    await world.send("reminder.due", due("ada"), due("ada"), due("ada"))
    early, *_, late = sorted([row["reminder_id"] for row in await world.rows("held")])
    # Written anew, the row that comes first in key order lies last in the table and its indexes.
    await world.owner.execute(
        "UPDATE policy.held SET retry_at = retry_at + interval '1 s' WHERE reminder_id = $1", early
    )
    lock = "SELECT FROM policy.held WHERE reminder_id = $1 FOR UPDATE"
    asking = Activation(pack="us-fed", by="ann", approved_by="bob")
    other = await asyncpg.connect(database.admin_dsn)

    async def begin() -> None:
        async with transaction(world.db) as connection:
            # An index may happen to give the order by itself.
            await connection.execute("SET LOCAL enable_indexscan = off")
            await activate(connection, world.rule_sets, TENANT, asking, sandbox=True)

    try:
        async with other.transaction():
            await other.execute(lock, early)
            activating = asyncio.create_task(begin())
            while not await world.owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
            await other.execute(f"{lock} NOWAIT", late)
        await activating
    finally:
        await other.close()


async def test_an_activation_needs_a_second_person(world: World) -> None:
    asked = Activation(pack="us-fed", by="Ann", approved_by="ann ")
    async with transaction(world.db) as connection:
        with pytest.raises(Problem) as raised:
            await activate(connection, world.rule_sets, TENANT, asked, sandbox=True)
    assert raised.value.errors[0].field == "approved_by"


async def test_a_draft_is_activated_only_knowingly_or_beside_the_sandbox(world: World) -> None:
    asked = Activation(pack="us-fed", by="ann", approved_by="bob")
    async with transaction(world.db) as connection:
        with pytest.raises(Problem) as raised:
            await activate(connection, world.rule_sets, TENANT, asked, sandbox=False)
    assert raised.value.errors[0].field == "accept_draft"
    assert "DUNWELL_SANDBOX" in raised.value.errors[0].fix
    knowing = Activation(pack="us-fed", by="ann", approved_by="bob", accept_draft=True)
    async with transaction(world.db) as connection:
        done = await activate(connection, world.rule_sets, TENANT, knowing, sandbox=False)
    assert done.status == "draft"


async def test_a_pack_that_is_not_shipped_is_refused_with_those_that_are(world: World) -> None:
    asked = Activation(pack="us-fedd", by="ann", approved_by="bob")
    async with transaction(world.db) as connection:
        with pytest.raises(Problem) as raised:
            await activate(connection, world.rule_sets, TENANT, asked, sandbox=True)
    assert "us-fed" in raised.value.errors[0].problem


async def test_a_pack_that_was_ended_decides_no_longer(world: World) -> None:
    await world.activate("us-fed")
    async with transaction(world.db) as connection:
        ended = Deactivation(pack="us-fed", by="ann", approved_by="bob")
        await deactivate(connection, world.rule_sets, TENANT, ended)
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_pack"


async def test_an_activation_binds_from_its_instant_on(world: World) -> None:
    later = Activation(
        pack="us-fed", by="ann", approved_by="bob", active_from=AFTERNOON + timedelta(hours=1)
    )
    async with transaction(world.db) as connection:
        await activate(connection, world.rule_sets, TENANT, later, sandbox=True)
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    assert await world.held_code() == "held_pack"
    await world.at(AFTERNOON + timedelta(hours=1))
    await world.send("reminder.due", due("ada"))
    assert [e["topic"] for e in await world.out()] == ["reminder.allowed"]


@pytest.mark.parametrize("named", ["us-fed@", "us-fed@{}", "acme-hours@{}"])
async def test_a_version_is_not_put_in_force_by_less_of_its_hash_than_names_it(
    world: World, named: str
) -> None:
    """Two people answer for a text: by one letter they may answer for another than they read."""
    letter = hash_of((SHIPPED / "us-fed.yaml").read_text("utf-8"))[0]
    asked = Activation(pack=named.format(letter), by="ann", approved_by="bob")
    with pytest.raises(Problem) as refused:
        async with transaction(world.db) as connection:
            await activate(connection, world.rule_sets, TENANT, asked, sandbox=True)
    assert "is not clear" in refused.value.detail
    assert await world.rows("activations") == []
