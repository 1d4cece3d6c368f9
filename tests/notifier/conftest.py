"""A world around the notifier: policy's doors, lying providers, a database of the test's own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.notifier import callbacks, intake
from tests.database import Database
from tests.notifier.liars import HttpLiar, SmtpLiar, serving
from tests.notifier.outside import Open, Outside, channel_to
from tests.notifier.world import PATIENCE_SECONDS, World, open_world


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What asks us gives up after seconds; a test's machine may stand still for longer."""
    monkeypatch.setattr(callbacks, "ANSWER_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(intake, "ANSWER_SECONDS", PATIENCE_SECONDS)


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


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Open]:
    """`await outside("sms")`: a channel with an honest provider, until told to lie."""
    async with AsyncExitStack() as stack:
        http, mail = HttpLiar(), SmtpLiar()
        await stack.enter_async_context(serving(http))
        await stack.enter_async_context(serving(mail))

        async def make(name: str) -> Outside:
            channel = await stack.enter_async_context(
                channel_to(name, http.url, mail.port, tmp_path)
            )
            return Outside(name, channel, http, mail)

        yield make
