"""The policy service's own fixtures: its pool on a fresh database with a stepped clock."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from services.policy import upkeep
from services.runtime import clock
from services.runtime.database import pool, transaction
from tests.database import Database
from tests.policy_service.events import AFTERNOON
from tests.policy_service.house import House, opened
from tests.policy_service.world import World


@pytest.fixture
async def world(database: Database) -> AsyncIterator[World]:
    """Business time stands at a Tuesday afternoon; no pack is active yet."""
    owner = await asyncpg.connect(database.admin_dsn)
    try:
        await clock.install_stepped(owner, AFTERNOON)
        async with pool(database.dsn("policy"), schema="policy", max_size=18) as db:
            async with transaction(db) as connection:
                await upkeep.make_partitions(connection)
            yield World(db=db, owner=owner)
    finally:
        await owner.close()


@pytest.fixture
async def house(world: World) -> AsyncIterator[House]:
    """The same world behind its doors; ada owes."""
    await world.person("ada")
    async with opened(world) as doors:
        yield doors
