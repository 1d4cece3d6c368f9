"""A world around the notifier: policy's doors, lying providers, a database of the test's own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.database import Database
from tests.notifier.world import World, open_world


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[World]:
    """Not started yet: `await world.start()`."""
    async with open_world(database, tmp_path) as made:
        yield made


@pytest.fixture
async def running(world: World) -> World:
    """The service runs."""
    await world.start()
    return world
