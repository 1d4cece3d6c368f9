"""No connection gets free: whoever waits for one is told so, and keeps nobody waiting behind it."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest

from services.notifier import reviews, sweeps
from services.notifier.addresses import Keyring
from services.notifier.handoff import put_back_now
from services.notifier.prepare import Preparer
from services.notifier.render import load_templates
from services.notifier.stops import Forwarder
from services.notifier.store import Held
from services.runtime import database as runtime_database
from services.runtime.database import connected, pool
from tests.database import Database


async def test_who_sends_forwards_or_sweeps_waits_for_a_connection_only_so_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparer = Preparer(load_templates(), Keyring({"k1": b"k" * 32}), None, {}, "", b"i" * 32)
    async with (
        pool(database.dsn("notifier"), schema="notifier", max_size=1) as db,
        aiohttp.ClientSession() as session,
    ):
        forwarder = Forwarder(db, session, "http://127.0.0.1:9", "dw_service")
        async with connected(db):
            with monkeypatch.context() as patch:  # who holds the one connection has longer
                patch.setattr(runtime_database, "ACQUIRE_SECONDS", 0.05)
                for waits in (
                    put_back_now(db, [Held(uuid4(), "harbor", 1)], timedelta()),
                    forwarder.forward(),
                    sweeps.look_up(db, preparer, {}, timedelta()),
                    reviews.measure(db),
                ):
                    async with asyncio.timeout(60):
                        with pytest.raises(TimeoutError):
                            await waits
        await forwarder.forward()
