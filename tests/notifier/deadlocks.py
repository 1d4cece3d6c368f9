"""Somebody who waits in a circle with the notifier, and whom PostgreSQL spares."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from tests.notifier.world import World

_WAITS = "SELECT 1 FROM pg_locks WHERE NOT granted"


@asynccontextmanager
async def deadlocked(world: World, hold: str, want: str) -> AsyncIterator[None]:
    """Lock by `hold`; once the notifier, begun inside, waits for that, lock by `want` as well.

    It is the notifier's transaction that is ended: this one never looks for a deadlock itself.
    """
    other = await asyncpg.connect(world.database.admin_dsn)
    try:
        await other.execute("SET deadlock_timeout = '1h'")
        async with other.transaction():
            await other.execute(hold)
            yield
            while await world.owner.fetchval(_WAITS) is None:
                await asyncio.sleep(0.01)
            await other.execute(want)
    finally:
        await other.close()
