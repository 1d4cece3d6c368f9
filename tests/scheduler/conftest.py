"""The scheduler's own fixtures: its pool on a fresh database, and what recording needs."""

from collections.abc import AsyncIterator

import pytest

from services.runtime import database as runtime_database
from services.runtime.database import Pool
from services.scheduler import cadence
from services.scheduler.intake import Context
from tests.database import Database

IDENTITY_KEY = b"an identity key of a test, long enough"


@pytest.fixture
async def db(database: Database) -> AsyncIterator[Pool]:
    """The scheduler's own pool on this test's database."""
    async with runtime_database.pool(database.dsn("scheduler"), schema="scheduler") as pool:
        yield pool


@pytest.fixture
def context() -> Context:
    """The shipped cadences."""
    return Context(identity_key=IDENTITY_KEY, cadences=cadence.load(cadence.SHIPPED))
