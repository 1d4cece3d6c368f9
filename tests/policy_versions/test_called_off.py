"""What was scheduled and is called off is told, and stays on record with who had asked for it."""

from datetime import datetime, timedelta
from typing import Any

from services.policy import activation, cli_status
from services.policy.activation import Activated, Activation, Deactivation
from services.policy.drafts import Draft
from services.policy.ending import Ending
from services.runtime.database import transaction
from tests.policy_service.events import AFTERNOON, TENANT
from tests.policy_service.world import World
from tests.policy_versions.own import activated, approved, own, states

HOUR = timedelta(hours=1)
OPEN, SHUT, SHUT_LONGER = "08:00-20:00", "16:00-20:00", "18:00-20:00"
WHY = "we leave Germany"


async def ended(
    world: World, *, at: datetime | None = None, people: tuple[str, str] = ("ann", "bob")
) -> Ending:
    by, approved_by = people
    asked = Deactivation(pack="acme-hours", by=by, approved_by=approved_by, at=at, reason=WHY)
    async with transaction(world.db) as connection:
        return await activation.deactivate(connection, world.rule_sets, TENANT, asked)


async def kept(world: World) -> Activated:
    """Carol and dave put the pack in force, whatever was scheduled."""
    asked = Activation(pack="acme-hours", by="carol", approved_by="dave")
    async with transaction(world.db) as connection:
        return await activation.activate(connection, world.rule_sets, TENANT, asked, sandbox=False)


async def who(world: World) -> list[str]:
    """What the status says of each version's people."""
    async with transaction(world.db) as connection:
        return [row["who"] for row in await cli_status.status(connection, TENANT)]


async def listed(world: World) -> list[dict[str, Any]]:
    async with transaction(world.db) as connection:
        return await activation.listed(connection, TENANT)


async def test_an_end_that_was_called_off_stays_on_record_with_its_reason_and_its_people(
    world: World,
) -> None:
    await approved(world, own(SHUT))
    await activated(world, "acme-hours")
    await world.at(AFTERNOON + HOUR)
    await ended(world, at=AFTERNOON + 9 * HOUR)
    await world.at(AFTERNOON + 2 * HOUR)
    await kept(world)
    first, second = await listed(world)
    assert (first["ended_by"], first["end_approved_by"], first["end_reason"]) == (
        "carol",
        "dave",
        None,
    )
    [off] = first["ends_called_off"]
    assert datetime.fromisoformat(off["ended_at"]) == AFTERNOON + 9 * HOUR
    assert (off["ended_by"], off["end_approved_by"], off["end_reason"]) == ("ann", "bob", WHY)
    assert second["ends_called_off"] == []
    assert (await who(world))[0] == (
        "activated by ann, approved by bob; ended by carol, approved by dave;"
        f" its end on {AFTERNOON + 9 * HOUR:%F %H:%MZ} by ann, approved by bob: {WHY},"
        " was called off"
    )


async def test_every_end_that_was_called_off_stays_on_record_the_latest_last(world: World) -> None:
    await approved(world, own(SHUT))
    await activated(world, "acme-hours")
    await world.at(AFTERNOON + HOUR)
    for hours in (9, 5, 3):
        await ended(world, at=AFTERNOON + hours * HOUR)
    [only] = await listed(world)
    assert [datetime.fromisoformat(off["ended_at"]) for off in only["ends_called_off"]] == [
        AFTERNOON + 9 * HOUR,
        AFTERNOON + 5 * HOUR,
    ]


async def test_who_called_a_version_off_is_not_forgotten_at_the_next_change(world: World) -> None:
    await approved(world, own(SHUT))
    await activated(world, "acme-hours", active_from=AFTERNOON + 9 * HOUR)
    await ended(world)
    await kept(world)
    off = next(row for row in await listed(world) if row["ended_by"] is not None)
    assert (off["ended_by"], off["end_reason"]) == ("ann", WHY)


async def test_an_activation_tells_the_version_and_the_end_that_it_calls_off(world: World) -> None:
    one = await approved(world, own(OPEN))
    await activated(world, one.name)
    await world.at(AFTERNOON + HOUR)
    two = await approved(world, own(SHUT))
    assert (await activated(world, two.name, active_from=AFTERNOON + 5 * HOUR)).called_off == ()
    await ended(world, at=AFTERNOON + 9 * HOUR)
    await world.at(AFTERNOON + 2 * HOUR)
    three = await approved(world, own(SHUT_LONGER))
    begin, end = (await activated(world, three.name)).called_off
    assert (begin.what, begin.version, begin.at) == ("begin", two.version, AFTERNOON + 5 * HOUR)
    assert (begin.by, begin.approved_by, begin.reason) == ("ann", "bob", None)
    assert (end.what, end.at, end.reason) == ("end", AFTERNOON + 9 * HOUR, WHY)


async def one_in_force_and_one_scheduled(world: World) -> tuple[Draft, Draft]:
    """The second is to begin at AFTERNOON + 9 hours; it is AFTERNOON + 1."""
    one = await approved(world, own(OPEN))
    await activated(world, one.name)
    await world.at(AFTERNOON + HOUR)
    two = await approved(world, own(SHUT))
    await activated(world, two.name, active_from=AFTERNOON + 9 * HOUR)
    return one, two


async def test_an_end_tells_until_when_the_pack_decides_and_which_versions_never_begin(
    world: World,
) -> None:
    _, two = await one_in_force_and_one_scheduled(world)
    ending = await ended(world, at=AFTERNOON + 5 * HOUR)
    assert (ending.at, ending.decides) == (AFTERNOON + 5 * HOUR, True)
    assert [(off.what, off.version) for off in ending.called_off] == [("begin", two.version)]


async def test_the_end_of_a_pack_that_was_only_scheduled_is_its_calling_off(world: World) -> None:
    one = await approved(world, own(OPEN))
    await activated(world, one.name, active_from=AFTERNOON + HOUR)
    ending = await ended(world)
    assert not ending.decides
    assert [off.version for off in ending.called_off] == [one.version]


async def test_a_version_that_begins_before_the_end_is_not_called_off(world: World) -> None:
    one = await approved(world, own(OPEN))
    await activated(world, one.name, active_from=AFTERNOON + HOUR)
    ending = await ended(world, at=AFTERNOON + 5 * HOUR)
    assert ending.decides
    assert ending.called_off == ()


async def test_what_is_in_force_activated_once_more_calls_off_only_what_is_scheduled(
    world: World,
) -> None:
    one, two = await one_in_force_and_one_scheduled(world)
    await world.at(AFTERNOON + 2 * HOUR)
    [off] = (await activated(world, one.name)).called_off
    assert (off.what, off.version) == ("begin", two.version)
    assert (await states(world)) == {one.version: "in force", two.version: "called off"}
