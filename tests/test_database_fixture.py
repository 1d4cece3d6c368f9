"""Each test has a database of its own."""

import asyncpg
import pytest

from tests.database import Database


@pytest.mark.parametrize("visit", [1, 2])
async def test_a_test_sees_nothing_of_the_test_before(database: Database, visit: int) -> None:
    connection = await asyncpg.connect(database.admin_dsn)
    await connection.execute("CREATE TABLE seen ()")
    await connection.close()
