"""Streams the past through the rules: a server-side cursor, batches, several processes.

Memory does not grow with the range: a batch is read when a process is free for it.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from services.policy import jurisdictions
from services.policy.backtest import Compared, Item, compare, verify
from services.policy.known import Row
from services.policy.pack import Pack, load_text
from services.policy.replay import RecordedRules, SetKey, Shelf, undated
from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("queries_backtest.sql"))

BATCH = 500


class Draft(NamedTuple):
    """A pack that is tried, as text: compiled packs don't travel between processes."""

    file: str
    text: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask again, and under what.  No draft: under the rules recorded."""

    start: datetime
    end: datetime  # half-open
    tenant: str | None = None  # None: all
    drafts: tuple[Draft, ...] = ()
    ignore_dates: bool = False  # take the drafts as if they had always been in force
    jobs: int = 1  # 1: in this process


class Heard(NamedTuple):
    """A batch with its answers: `rows[i]` is what index i of `compared` speaks of."""

    rows: list[Row]
    compared: Compared
    service_refusals: int


async def shelf(connection: Connection, tenant: str | None) -> Shelf:
    """Every rule set that was ever decided under, and every text that was ever active."""
    return Shelf(
        sets={
            (row["tenant"], row["version"]): msgspec.json.decode(row["packs"], type=dict[str, str])
            for row in await connection.fetch(SQL["rule_sets"], tenant)
        },
        texts={
            (row["tenant"], row["pack"], row["version"]): row["text"]
            for row in await connection.fetch(SQL["pack_texts"], tenant)
        },
    )


async def number_of_decisions(connection: Connection, plan: Plan) -> int:
    count: int = await connection.fetchval(
        SQL["number_of_decisions"], plan.start, plan.end, plan.tenant
    )
    return count


async def decisions(connection: Connection, plan: Plan, kept: Shelf) -> AsyncIterator[Heard]:
    """Every decision of the range, compared; inside a transaction, in no order.

    Raises PackError if the drafts don't go together with the packs of some decision.
    """
    items = Items(kept, packs_of(plan))
    cursor = await connection.cursor(SQL["decisions"], plan.start, plan.end, plan.tenant)
    async with AsyncExitStack() as stack:
        ask = _asking(stack, plan, kept)
        running: dict[asyncio.Future[Compared], tuple[list[Row], int]] = {}
        try:
            while rows := await cursor.fetch(BATCH):
                with_facts = [row for row in rows if row["facts"] is not None]
                future = ask([items.of(row) for row in with_facts])
                running[future] = (with_facts, len(rows) - len(with_facts))
                if len(running) > 2 * plan.jobs:
                    for heard in await _done(running):
                        yield heard
            while running:
                for heard in await _done(running):
                    yield heard
        finally:
            for future in running:
                future.cancel()


def packs_of(plan: Plan) -> tuple[Pack, ...]:
    """The drafts of a plan, read.  Raises PackError."""
    packs = [load_text(draft.text, draft.file) for draft in plan.drafts]
    return tuple(undated(pack) for pack in packs) if plan.ignore_dates else tuple(packs)


class Items:
    """Records as they travel: which drafts take part in each."""

    def __init__(self, kept: Shelf, drafts: Sequence[Pack]) -> None:
        self._sets = kept.sets
        self._drafts = [draft.id for draft in drafts]
        self._places = jurisdictions.load()
        self._placed = {pack for packs in self._places.values() for pack in packs}
        self._keys: dict[tuple[str | None, ...], tuple[SetKey, tuple[str, ...]]] = {}

    def of(self, row: Row) -> Item:
        key, added = self.which(row, row["rule_set"] or "")
        at: datetime = row["decided_at"]
        return Item(key, added, int(at.timestamp()), row["facts"], row["answers"])

    def which(self, row: Row, version: str) -> tuple[SetKey, tuple[str, ...]]:
        """The rule set, and which drafts are new to it: a pack of a place is asked of borrowers
        there, a pack of no place (a tenant's own) of everybody.
        """
        place = (row["country"], row["subdivision"], row["city"]) if self._drafts else ()
        found = self._keys.get((row["tenant"], version, *place))
        if found is None:
            key = (row["tenant"], version)
            new = [draft for draft in self._drafts if draft not in self._sets.get(key, ())]
            there = jurisdictions.packs_of(self._places, *place) if place and place[0] else ()
            added = [d for d in new if d not in self._placed or d in there]
            # The same objects for the same rule set: they travel once a batch.
            found = self._keys[(*key, *place)] = (key, tuple(added))
        return found


def _asking(
    stack: AsyncExitStack, plan: Plan, kept: Shelf
) -> Callable[[list[Item]], asyncio.Future[Compared]]:
    """Hands a batch to a process that is free, or asks here."""
    loop = asyncio.get_running_loop()
    if plan.jobs == 1:
        ask = worker(plan, kept)

        def here(batch: list[Item]) -> asyncio.Future[Compared]:
            future: asyncio.Future[Compared] = loop.create_future()
            future.set_result(ask(batch))
            return future

        return here
    processes: Executor = ProcessPoolExecutor(
        plan.jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(plan, kept),
    )
    stack.callback(processes.shutdown, cancel_futures=True)
    return lambda batch: loop.run_in_executor(processes, _ask, batch)


async def _done(running: dict[asyncio.Future[Compared], tuple[list[Row], int]]) -> list[Heard]:
    finished, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    found = []
    for future in finished:
        rows, refusals = running.pop(future)
        found.append(Heard(rows, future.result(), refusals))
    return found


def worker(plan: Plan, kept: Shelf) -> Callable[[Sequence[Item]], Compared]:
    """What asks again: rule sets are compiled once, when the first record names them."""
    rules = RecordedRules(kept, packs_of(plan))
    return partial(compare if plan.drafts else verify, rules)


# A process of the pool has one task in its life: this is what it was begun for.
_work: list[Callable[[Sequence[Item]], Compared]] = []


def _begin(plan: Plan, kept: Shelf) -> None:
    _work[:] = [worker(plan, kept)]


def _ask(batch: list[Item]) -> Compared:
    return _work[0](batch)
