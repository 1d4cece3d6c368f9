"""The connection pool of one service's schema, and transactions."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias, TypeVar

import asyncpg
import msgspec

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[Any]"

# asyncpg waits for ever by default; a pool that is empty for this long is a fault to be seen.
ACQUIRE_SECONDS = 20.0
STATEMENT_SECONDS = 30.0
READY_SECONDS = 2.0  # a probe waits three
TRIES = 5  # the loser of a deadlock has waited for a second each time: more cures nothing

# What a database that goes away, or is away, makes of a statement; asyncpg's errors have no common
# base, and a connection torn in the middle of an answer raises the last.
FAILED = (
    OSError,  # and so TimeoutError
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

T = TypeVar("T")

_encode = msgspec.json.Encoder().encode


# What the transaction around is to do after its commit: one a task, for each has its own context.
_afterwards: ContextVar[list[Callable[[], object]]] = ContextVar("afterwards")


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + _encode(value),
        decoder=lambda raw: msgspec.json.decode(raw[1:]),
        format="binary",
    )


@asynccontextmanager
async def pool(url: str, *, schema: str, max_size: int = 10) -> AsyncIterator[Pool]:
    """A pool whose connections see `schema` first; closed within 5 s at the end."""
    made = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=max_size,
        command_timeout=STATEMENT_SECONDS,
        init=_prepare,
        server_settings={
            "search_path": schema,
            "application_name": f"dunwell-{schema}",
            "timezone": "UTC",
            # Every statement looks up the keys of one batch: compile none, never read a table
            # whole because it is small today, and plan afresh each time, for a plan made while a
            # queue was empty would be kept when it is not (a batch took 200 ms instead of 10).
            "jit": "off",
            "enable_seqscan": "off",
            "random_page_cost": "1.1",
            "plan_cache_mode": "force_custom_plan",
            # What was committed is acted on: a server that answers first and writes later forgets,
            # when it crashes, that a message was sent.
            "synchronous_commit": "on",
            # A lock wait or an idle transaction that outlives its statement is a fault.
            "idle_in_transaction_session_timeout": "60s",
        },
    )
    try:
        yield made
    finally:
        try:
            await asyncio.wait_for(made.close(), timeout=5)
        except FAILED:
            made.terminate()


@asynccontextmanager
async def connected(db: Pool) -> AsyncIterator[Connection]:
    """A connection for statements that need no transaction; TimeoutError if none gets free.

    A pool's own `fetch` and the like wait for one without end, whatever their timeout.
    """
    async with db.acquire(timeout=ACQUIRE_SECONDS) as connection:
        yield connection


async def answers(db: Pool) -> str | None:
    """Readiness: PostgreSQL answers and takes writes; TimeoutError if no connection is free."""
    async with asyncio.timeout(READY_SECONDS):
        read_only = await db.fetchval("SELECT current_setting('transaction_read_only') = 'on'")
    return (
        "takes no writes: this server is a standby, or default_transaction_read_only is on"
        if read_only
        else None
    )


@asynccontextmanager
async def transaction(db: Pool) -> AsyncIterator[Connection]:
    """A READ COMMITTED transaction on a connection of its own.

    READ COMMITTED on purpose: facts must be read after the locks are held, each statement with a
    snapshot of its own (under REPEATABLE READ the caps were broken in measurement).
    """
    afterwards: list[Callable[[], object]] = []
    async with (
        connected(db) as connection,
        connection.transaction(isolation="read_committed"),
    ):
        outer = _afterwards.set(afterwards)
        try:
            yield connection
        finally:
            _afterwards.reset(outer)
    for do in afterwards:
        do()


class Overtaken(Exception):
    """Another was first, or what was read before the locks has changed: begin again on what is
    there now."""


# The same transaction goes through when it is repeated.
AT_ONCE = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, Overtaken)


async def repeating(run: Callable[[], Awaitable[T]]) -> T:
    """`run` opens a transaction and commits; all of it again where it lost a lock or was overtaken.

    Of two that wait for each other one is ended: the other is through when this one comes again.
    """
    for _ in range(TRIES - 1):
        try:
            return await run()
        except AT_ONCE:
            await asyncio.sleep(random.uniform(0, 0.02))
    return await run()


def after_commit(do: Callable[[], object]) -> None:
    """Once the transaction around is committed; never, if it is not: counting, for instance."""
    _afterwards.get().append(do)
