"""Address lists that come while others are being written share the next transaction."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from services.notifier import address_book
from services.notifier.address_book import Given
from services.notifier.handlers import Keys
from services.runtime import clock, log, outbox
from services.runtime.consume import IN_THE_MESSAGE
from services.runtime.database import Pool, repeating, transaction
from services.runtime.outbox import Outbox
from services.runtime.web import Problem

BATCH = 200
ANSWER_SECONDS = 25.0


class Written(NamedTuple):
    """What came of one list: whether it was new enough to count, and its contact points' ids."""

    counted: bool
    ids: list[str]


class _Waiting(NamedTuple):
    given: Given
    written: asyncio.Future[Written]


class Intake:
    """A bulk load's requests, each answered when its own list is committed."""

    def __init__(self, db: Pool, relay: Outbox, keys: Keys) -> None:
        self._db = db
        self._relay = relay
        self._keys = keys
        self._waiting: list[_Waiting] = []
        self._came = asyncio.Event()

    async def write(self, given: Given) -> Written:
        """Committed; Problem 503 if that isn't known: the same list may be sent again."""
        written: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(given, written))
        self._came.set()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await written
        except TimeoutError:
            raise _unavailable() from None

    async def run(self) -> NoReturn:
        """Write for ever; who still waits when it ends is told to come again."""
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                while self._waiting:
                    batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                    # Who was told to come again is not written for: in an outage nobody would
                    # ever be through with them.
                    batch = [waiting for waiting in batch if not waiting.written.done()]
                    if batch:
                        await self._settle(batch)
        finally:
            for waiting in self._waiting:
                _fail(waiting)

    async def _settle(self, batch: Sequence[_Waiting]) -> None:
        try:
            answers = await repeating(lambda: self._write([waiting.given for waiting in batch]))
        except Exception as error:
            if len(batch) > 1 and isinstance(error, IN_THE_MESSAGE):
                for waiting in batch:  # one of them is the cause: the others don't pay for it
                    await self._settle([waiting])
                return
            log.get().warning("addresses_failed", error=type(error).__name__, count=len(batch))
            for waiting in batch:
                _fail(waiting)
        except BaseException:
            for waiting in batch:
                _fail(waiting)
            raise
        else:
            for waiting, answer in zip(batch, answers, strict=True):
                if not waiting.written.done():
                    waiting.written.set_result(answer)

    async def _write(self, given: Sequence[Given]) -> list[Written]:
        async with transaction(self._db) as connection:
            records, answers = await address_book.write(
                connection,
                self._keys.identity,
                self._keys.ring,
                given,
                await clock.gate_now(connection),
            )
            await outbox.put(connection, records)
        self._relay.nudge()
        return [Written(*answer) for answer in answers]


def _fail(waiting: _Waiting) -> None:
    if not waiting.written.done():
        waiting.written.set_exception(_unavailable())


def _unavailable() -> Problem:
    return Problem(503, "unavailable", "it is not known to be stored; send it again")
