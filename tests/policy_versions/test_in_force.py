"""Versions in force: from an instant on, superseded, rolled back, taken out."""

import asyncio
from datetime import timedelta

import pytest
from click.testing import CliRunner, Result

from services.__main__ import main
from services.policy import activation, cli_status, rollback
from services.policy.activation import Activation, Deactivation
from services.policy.drafts import Draft
from services.policy.rollback import Rollback, RolledBack
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.database import Database
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, due, pack
from tests.policy_service.world import World
from tests.policy_versions.own import activated, approved, drafted, own, states

HOUR = timedelta(hours=1)
OPEN, SHUT, SHUT_LONGER = "08:00-20:00", "16:00-20:00", "18:00-20:00"  # it is 14:00 there


async def roll_back(world: World) -> RolledBack:
    asked = Rollback(pack="acme-hours", by="ann", approved_by="bob")
    async with transaction(world.db) as connection:
        return await rollback.roll_back(connection, world.rule_sets, TENANT, asked)


async def verdict(world: World, name: str = "ada") -> str:
    """What a reminder that is due now is answered."""
    await world.out()
    await world.send("reminder.due", due(name))
    [event] = await world.out()
    return str(event["topic"]).removeprefix("reminder.")


async def test_a_version_that_was_in_force_can_be_read_by_its_hash(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.rules(pack(WINDOW))
    version = await world.db.fetchval("SELECT version FROM pack_texts")
    monkeypatch.setenv("DUNWELL_DATABASE_URL", database.dsn("policy"))

    def show(named: str) -> Result:
        return CliRunner().invoke(main, ["packs", "show", named, "--tenant", TENANT])

    said = await asyncio.to_thread(show, f"us-fed@{version[:8]}")  # not the file of today
    assert said.exit_code == 0, said.output
    assert "t-hours" in said.output
    said = await asyncio.to_thread(show, "us-fed@000000")
    assert said.exit_code == 1
    assert "us-fed@000000" in said.output


async def test_a_version_decides_from_its_instant_on_when_due_and_at_hand_off(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    for name in ("ada", "bea", "cyd"):
        await world.person(name)
    await approved(world, own(SHUT_LONGER))
    await activated(world, "acme-hours", active_from=AFTERNOON + HOUR)
    assert await verdict(world) == "allowed"
    early, late = await world.ready("bea"), await world.ready("cyd")
    await world.at(AFTERNOON + HOUR - timedelta(seconds=1))
    assert (await world.redeem_one(early)).verdict == "allow"
    await world.at(AFTERNOON + HOUR)
    refused = await world.redeem_one(late)
    assert (refused.verdict, refused.rule) == ("defer", "acme-hours-day")
    assert await verdict(world) == "deferred"


async def test_the_version_before_decides_until_then_and_is_superseded(world: World) -> None:
    await world.rules(pack(WINDOW))
    one = await approved(world, own(SHUT))
    await activated(world, one.name)
    two = await approved(world, own(SHUT_LONGER))
    await activated(world, two.name, active_from=AFTERNOON + HOUR)
    assert await states(world) == {one.version: "in force", two.version: "scheduled"}
    await world.at(AFTERNOON + HOUR)
    assert await states(world) == {one.version: "superseded", two.version: "in force"}


async def test_a_pack_that_calls_itself_reviewed_is_shown_so_by_its_author_only(
    world: World,
) -> None:
    await approved(world, own(SHUT))
    await activated(world, "acme-hours")
    await world.activate("house")
    async with transaction(world.db) as connection:
        rows = await cli_status.status(connection, TENANT)
    assert {row["pack"]: row["status"] for row in rows} == {
        "acme-hours": "reviewed, says its author",
        "house": "draft",
    }


async def test_a_tenants_own_pack_holds_beside_the_packs_of_the_place(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    assert await verdict(world) == "allowed"
    await approved(world, own(SHUT))
    await activated(world, "acme-hours")
    assert await verdict(world) == "deferred"


async def test_a_tenants_own_pack_opens_no_country(world: World) -> None:
    await approved(world, own(OPEN))
    await activated(world, "acme-hours")
    await world.person("ada")
    await world.send("reminder.due", due("ada"))
    [held] = await world.rows("held")
    assert held["code"] == "held_pack"


async def test_a_draft_that_nobody_approved_is_not_put_in_force(world: World) -> None:
    draft = await drafted(world, own(SHUT))
    with pytest.raises(Problem) as refused:
        await activated(world, "acme-hours")
    assert f"{draft.name} (drafted)" in refused.value.errors[0].problem


async def test_nothing_is_put_in_force_in_the_past(world: World) -> None:
    await approved(world, own(SHUT))
    with pytest.raises(Problem) as refused:
        await activated(world, "acme-hours", active_from=AFTERNOON - HOUR)
    assert refused.value.errors[0].field == "from"


async def test_a_version_that_can_not_be_read_stops_the_change_and_not_the_service(
    world: World,
) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    await approved(world, own(OPEN))
    good = await activated(world, "acme-hours")
    assert await verdict(world) == "allowed"
    broken = own(SHUT).replace("contact_window", "a_kind_of_tomorrow")
    await world.owner.execute(
        "INSERT INTO policy.drafts (tenant, pack, version, text, drafted_by, drafted_at, cases,"
        " cases_right, checked_at, approved_by, approved_at) SELECT 'acme', 'acme-hours',"
        " encode(sha256(convert_to($1, 'UTF8')), 'hex'), $1, 'ann', now(), 'c', 1, now(),"
        " 'bob', now()",
        broken,
    )
    with pytest.raises(Problem) as refused:
        await activated(world, "acme-hours")
    assert "a_kind_of_tomorrow" in refused.value.errors[0].problem
    assert await verdict(world) == "allowed"
    assert await states(world) | {good.version: "in force"} == await states(world)


async def test_rolling_back_puts_the_version_before_in_force_at_once(world: World) -> None:
    await world.rules(pack(WINDOW))
    await world.person("ada")
    one = await approved(world, own(OPEN))
    await activated(world, one.name)
    await world.at(AFTERNOON + HOUR)
    two = await approved(world, own(SHUT_LONGER))
    await activated(world, two.name)
    assert await verdict(world) == "deferred"
    await world.at(AFTERNOON + HOUR + timedelta(minutes=1))
    done = await roll_back(world)
    assert (done.now.version, done.instead_of) == (one.version, two.version)
    assert await verdict(world) == "allowed"


async def test_the_newest_draft_that_was_rolled_back_is_said_to_be_so_when_it_comes_again(
    world: World,
) -> None:
    for i, hours in enumerate((OPEN, SHUT)):
        await world.at(AFTERNOON + i * HOUR)
        done = await activated(world, (await approved(world, own(hours))).name)
        assert done.rolled_back_at is None
    await world.at(AFTERNOON + 2 * HOUR)
    back = await roll_back(world)
    assert back.now.rolled_back_at is None
    await world.at(AFTERNOON + 3 * HOUR)
    assert (await activated(world, back.now.pack + "@" + back.now.version)).rolled_back_at is None
    again = await activated(world, "acme-hours", active_from=AFTERNOON + 4 * HOUR)
    assert (again.version, again.rolled_back_at) == (back.instead_of, AFTERNOON + 2 * HOUR)
    another = await approved(world, own(SHUT_LONGER))
    assert (await activated(world, another.name)).rolled_back_at is None


async def test_rolling_back_twice_goes_two_versions_back_and_no_further(world: World) -> None:
    texts = [own(hours) for hours in (OPEN, SHUT, SHUT_LONGER)]
    for i, text in enumerate(texts):
        await world.at(AFTERNOON + i * HOUR)
        await activated(world, (await approved(world, text)).name)
    await world.at(AFTERNOON + 4 * HOUR)
    second = await roll_back(world)
    await world.at(AFTERNOON + 5 * HOUR)
    first = await roll_back(world)
    versions = [(await drafted(world, text)).version for text in texts]
    assert [first.now.version, second.now.version] == versions[:2]
    await world.at(AFTERNOON + 6 * HOUR)
    with pytest.raises(Problem) as refused:
        await roll_back(world)
    assert "dunwell policy deactivate" in refused.value.errors[0].fix


async def test_rolling_back_calls_off_what_is_scheduled(world: World) -> None:
    for i, hours in enumerate((OPEN, SHUT)):
        await world.at(AFTERNOON + i * HOUR)
        await activated(world, (await approved(world, own(hours))).name)
    await world.at(AFTERNOON + 2 * HOUR)
    third = await approved(world, own(SHUT_LONGER))
    await activated(world, third.name, active_from=AFTERNOON + 9 * HOUR)
    assert len((await roll_back(world)).now.called_off) == 1
    assert (await states(world))[third.version] == "called off"


async def test_of_a_version_in_force_it_is_told_who_wrote_and_approved_it_and_what_it_loosens(
    world: World, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.activate("house")
    await activated(world, (await approved(world, own(SHUT))).name)
    await world.at(AFTERNOON + HOUR)
    two = await approved(world, own(OPEN), loosens_own=True)
    asked = Activation(pack=two.name, by="carol", approved_by="dave")
    async with transaction(world.db) as connection:
        await activation.activate(connection, world.rule_sets, TENANT, asked, sandbox=False)
        _, row, house = await activation.listed(connection, TENANT)
    assert (row["requested_by"], row["approved_by"]) == ("carol", "dave")
    assert (row["drafted_by"], row["draft_approved_by"]) == ("ann", "bob")
    assert (row["drafted_at"], row["draft_approved_at"]) == (two.drafted_at, two.approved_at)
    assert [(word["rule"], word["by"]) for word in row["loosenings"]] == [("acme-hours-day", "bob")]
    assert (house["drafted_by"], house["loosenings"]) == (None, [])
    monkeypatch.setenv("DUNWELL_DATABASE_URL", database.dsn("policy"))
    words = ["policy", "status", "--all", "--tenant", TENANT]
    said = (await asyncio.to_thread(CliRunner().invoke, main, words)).output
    assert f"its text: {_day_of(two)}" in said


def _day_of(draft: Draft) -> str:
    then = f"{AFTERNOON + HOUR:%F %H:%MZ}"
    return (
        f"drafted by ann {then}; checked with {draft.cases_right} case(s); approved by bob {then};"
        f" that it loosens acme-hours-day accepted by bob {then}"
    )


async def test_taking_a_pack_out_keeps_both_names_and_the_reason(world: World) -> None:
    await approved(world, own(SHUT))
    await activated(world, "acme-hours")
    await world.at(AFTERNOON + HOUR)
    asked = Deactivation(pack="acme-hours", by="ann", approved_by="bob", reason="a mistake")
    async with transaction(world.db) as connection:
        await activation.deactivate(connection, world.rule_sets, TENANT, asked)
        [row] = await activation.listed(connection, TENANT)
    assert (row["ended_by"], row["end_approved_by"], row["end_reason"]) == (
        "ann",
        "bob",
        "a mistake",
    )
    assert list((await states(world)).values()) == ["ended"]


async def test_the_text_of_every_version_that_ever_decided_is_kept(world: World) -> None:
    one = await approved(world, own(OPEN))
    await activated(world, one.name)
    await world.at(AFTERNOON + HOUR)
    await world.activate("us-fed")
    two = await approved(world, own(SHUT))
    await activated(world, two.name)
    kept = {row["version"]: row["text"] for row in await world.rows("pack_texts")}
    assert kept[one.version] == one.text
    assert kept[two.version] == two.text
    assert any("pack: us-fed" in text for text in kept.values())
