"""The HTTP doors, where another writer of the same rows is faster."""

import asyncio

import asyncpg

from services.runtime.database import Pool
from tests.database import Database
from tests.scheduler.lender import Lender
from tests.scheduler.test_doors import BORROWER, LOAN

WAITS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


async def loses(owner: asyncpg.Connection, posting: asyncio.Task[tuple[int, object]]) -> None:
    """The owner holds L-1; the request has L-2 and waits, and is ended to let the owner go on."""
    async with asyncio.timeout(30):
        while not await owner.fetchval(WAITS):
            assert not posting.done(), posting.result()
            await asyncio.sleep(0.02)
        await owner.execute("UPDATE scheduler.loans SET version = version WHERE loan_id = 'L-2'")


async def test_a_bulk_that_loses_a_deadlock_is_recorded_by_its_second_try(
    lender: Lender, db: Pool, database: Database
) -> None:
    first = [LOAN | {"borrower": BORROWER}, LOAN | {"loan_id": "L-2", "installments": []}]
    await lender.post("/v1/loans:bulk", {"loans": first})
    owner = await asyncpg.connect(database.admin_dsn)
    await owner.execute("SET deadlock_timeout = '1min'")  # it is the other who notices
    again = [LOAN | {"loan_id": loan_id, "version": 2} for loan_id in ("L-2", "L-1")]
    async with owner.transaction():
        await owner.execute("UPDATE scheduler.loans SET version = version WHERE loan_id = 'L-1'")
        posting = asyncio.create_task(lender.post("/v1/loans:bulk", {"loans": again}))
        await loses(owner, posting)
    status, said = await posting
    assert (status, [row["status"] for row in said["results"]]) == (200, ["recorded", "recorded"])
    await owner.close()
