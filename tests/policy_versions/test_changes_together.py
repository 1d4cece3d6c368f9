"""Changes of what is in force: one after the other, and the packs go together at every instant."""

import asyncio
from datetime import datetime, timedelta

import pytest

from services.policy import activation
from services.policy.activation import Activation, Deactivation
from services.runtime.database import transaction
from services.runtime.web import Problem
from tests.policy_service.events import AFTERNOON, TENANT
from tests.policy_service.world import World
from tests.policy_versions.own import activated, approved, by_calendar, own

HOUR = timedelta(hours=1)
TOMORROW = AFTERNOON + timedelta(days=1)
OPEN, LONG, SHUT = "08:00-20:00", "08:00-18:00", "12:00-16:00"


def by_two(pack: str) -> Activation:
    return Activation(pack=pack, by="ann", approved_by="bob")


async def ended(world: World, pack: str, at: datetime | None = None) -> None:
    asked = Deactivation(pack=pack, by="ann", approved_by="bob", at=at)
    async with transaction(world.db) as connection:
        await activation.deactivate(connection, world.rule_sets, TENANT, asked)


async def waits_for_the_other(world: World) -> None:
    """Until somebody waits for the change that is open."""
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with asyncio.timeout(60):
        while not await world.owner.fetchval(waiting):
            await asyncio.sleep(0.02)


async def test_a_version_is_compared_with_the_one_that_decides_when_its_turn_comes(
    world: World,
) -> None:
    await activated(world, (await approved(world, own(OPEN))).name)
    await world.at(AFTERNOON + HOUR)
    # Both ask more than the version in force; the second asks less than the first.
    strict, looser = await approved(world, own(SHUT)), await approved(world, own(LONG))
    async with transaction(world.db) as connection:
        await activation.activate(
            connection, world.rule_sets, TENANT, by_two(strict.name), sandbox=False
        )
        other = asyncio.create_task(activated(world, looser.name))
        await waits_for_the_other(world)
    with pytest.raises(Problem) as refused:
        await other
    assert "acme-hours-day" in refused.value.errors[0].problem


async def test_a_pack_ends_after_the_change_that_is_under_way(world: World) -> None:
    await approved(world, own(SHUT))
    async with transaction(world.db) as connection:
        await activation.activate(
            connection, world.rule_sets, TENANT, by_two("acme-hours"), sandbox=False
        )
        other = asyncio.create_task(ended(world, "acme-hours"))
        await waits_for_the_other(world)
    await other  # it found the activation


async def test_a_pack_that_will_not_go_with_one_that_begins_later_is_refused(world: World) -> None:
    await approved(world, own(SHUT))
    await activated(world, "acme-hours", active_from=TOMORROW)
    await approved(world, own(OPEN, pack="acme-more"))  # the same rule id
    with pytest.raises(Problem) as refused:
        await activated(world, "acme-more")
    said = refused.value.errors[0].problem
    assert "acme-hours-day" in said
    assert f"{TOMORROW:%FT%TZ}" in said
    assert [row["pack"] for row in await world.rows("activations")] == ["acme-hours"]


async def test_a_pack_that_ends_before_the_other_begins_goes_with_it(world: World) -> None:
    await approved(world, own(OPEN, pack="acme-more"))  # the same rule id
    await approved(world, own(SHUT))
    await activated(world, "acme-hours")
    await ended(world, "acme-hours", TOMORROW)
    await activated(world, "acme-more", active_from=TOMORROW)
    with pytest.raises(Problem):
        await activated(world, "acme-more")


async def test_a_pack_whose_calendar_another_names_does_not_end_before_it(world: World) -> None:
    holds = own(OPEN).replace(
        "rules:\n",
        "calendars:\n  acme-days: {covers: [2026], dates: {'2026-12-25': Christmas}}\nrules:\n",
    )
    names = own(SHUT, pack="acme-more", rule="acme-more-day").replace(
        "hours:", "calendar: acme-days, hours:"
    )
    await world.rules(holds, pack="acme-hours")
    await world.rules(names, pack="acme-more")
    for at in (None, TOMORROW):
        with pytest.raises(Problem) as refused:
            await ended(world, "acme-hours", at)
        assert "acme-days" in refused.value.errors[0].problem
    await ended(world, "acme-more", TOMORROW)
    await ended(world, "acme-hours", TOMORROW)


async def test_a_pack_of_a_place_does_not_begin_where_a_pack_of_the_tenants_own_could_not_be_asked(
    world: World,
) -> None:
    await world.activate("us-fed", "us-ma")
    await world.rules(by_calendar("us-federal"), pack="acme-hours")
    with pytest.raises(Problem) as refused:
        await activated(world, "gb", accept_draft=True)
    assert "for a borrower in GB" in refused.value.errors[0].problem
    assert "unknown calendar 'us-federal'" in refused.value.errors[0].problem
    assert "in the pack that names it" in refused.value.errors[0].fix
    await world.rules(by_calendar("us-federal", holds=True), pack="acme-hours")
    await activated(world, "gb", accept_draft=True)


async def test_a_pack_of_the_tenants_own_does_not_begin_where_one_place_could_not_ask_it(
    world: World,
) -> None:
    await world.activate("us-fed")
    await approved(world, by_calendar("us-federal"), beside="us-fed")
    await activated(world, "us-ma", accept_draft=True)
    await activated(world, "gb", accept_draft=True)
    with pytest.raises(Problem) as refused:
        await activated(world, "acme-hours")
    assert "for a borrower in GB" in refused.value.errors[0].problem


async def test_a_pack_ends_where_another_place_could_not_be_asked_before_unless_it_adds_one(
    world: World,
) -> None:
    await world.activate("us-fed", "us-ma", "gb")
    await world.rules(by_calendar("us-federal"), pack="acme-hours")  # no good in GB
    with pytest.raises(Problem) as refused:
        await ended(world, "us-fed")
    assert "us-federal" in refused.value.errors[0].problem
    await ended(world, "us-ma")
    await ended(world, "gb")


@pytest.mark.parametrize(
    "at",
    [AFTERNOON - HOUR, datetime(2026, 7, 1)],  # noqa: DTZ001 - no zone, on purpose
)
async def test_no_pack_ends_in_the_past_or_at_nobody_knows_when(world: World, at: datetime) -> None:
    await approved(world, own(SHUT))
    await activated(world, "acme-hours")
    with pytest.raises(Problem) as refused:
        await ended(world, "acme-hours", at)
    assert refused.value.errors[0].field == "at"
    assert [row["ended_at"] for row in await world.rows("activations")] == [None]
