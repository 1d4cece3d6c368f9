"""Looks into the database when a request arrives: was the attempt on record before it left?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg

# The notifier's row as this process may read it; adjust here when its columns are renamed.
ATTEMPT_QUERY = """
SELECT state, epoch, created_at, in_flight_at FROM notifier.attempts WHERE attempt_id = $1
"""
BUSINESS_CLOCK_QUERY = "SELECT policy.gate_now()"

ANSWER_SECONDS = 5.0  # a database that is down must not hold up the world outside

# A connection torn in the middle of an answer raises the last.
FAILED = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

Seen = dict[str, Any] | None


class Witness:
    """`sees_attempts` and `tells_time` say which of its two questions it was asked to answer."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", *, sees_attempts: bool, tells_time: bool
    ) -> None:
        self._pool = pool
        self.sees_attempts = sees_attempts
        self.tells_time = tells_time

    async def attempt(self, attempt_id: str | None) -> Seen:
        """The row; None when there is none, which breaks promise P6; {"error": …} when unasked."""
        if attempt_id is None:
            return {"error": "no attempt_id in the request"}
        try:
            row = await self._pool.fetchrow(ATTEMPT_QUERY, attempt_id, timeout=ANSWER_SECONDS)
        except FAILED as error:
            return {"error": type(error).__name__}
        return None if row is None else dict(row)

    async def business_now(self) -> datetime | None:
        if not self.tells_time:
            return None
        try:
            instant = await self._pool.fetchval(BUSINESS_CLOCK_QUERY, timeout=ANSWER_SECONDS)
        except FAILED:
            return None
        return instant if isinstance(instant, datetime) else None


@asynccontextmanager
async def witness(
    database_url: str | None, *, sees_attempts: bool, tells_time: bool
) -> AsyncIterator[Witness | None]:
    """Connections are read only: the sandbox can't change what it watches."""
    if database_url is None:
        yield None
        return
    async with asyncpg.create_pool(
        database_url,
        min_size=1,
        max_size=6,
        server_settings={
            "default_transaction_read_only": "on",
            "application_name": "dunwell-sandbox",
        },
    ) as pool:
        yield Witness(pool, sees_attempts=sees_attempts, tells_time=tells_time)
