"""What policy does without being asked, while another of its processes does the same."""

import asyncio

from services.policy import upkeep
from services.runtime.database import transaction
from tests.policy_service.world import World

MONTHS = 3  # this one and the next two


async def partitions(world: World) -> list[str]:
    rows = await world.db.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits"
        " WHERE inhparent = 'decisions'::regclass AND inhrelid <> 'decisions_other'::regclass"
        " ORDER BY 1"
    )
    return [row["name"] for row in rows]


async def test_a_partition_that_another_process_makes_at_the_same_moment_is_not_made_twice(
    world: World,
) -> None:
    made = await partitions(world)
    assert len(made) == MONTHS
    for name in made:
        await world.db.execute(f"DROP TABLE {name}")
    async with transaction(world.db) as late:
        async with transaction(world.db) as first:
            await upkeep.make_partitions(first)
            waiting = asyncio.create_task(upkeep.make_partitions(late))
            await asyncio.sleep(0.3)  # it has looked, and waits for the table
            assert not waiting.done()
        await waiting
    assert await partitions(world) == made
