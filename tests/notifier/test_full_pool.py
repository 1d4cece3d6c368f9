"""No connection gets free: whoever waits for one is told so, and keeps nobody waiting behind it."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import aiohttp
import pytest

from services.events.words import PointKind
from services.notifier import intake as notifier_intake
from services.notifier import reviews, sweeps
from services.notifier.address_book import Given
from services.notifier.addresses import Address, Keyring
from services.notifier.handlers import Keys
from services.notifier.handoff import put_back_now
from services.notifier.intake import Intake
from services.notifier.prepare import Preparer
from services.notifier.render import load_templates
from services.notifier.stops import Forwarder
from services.notifier.store import Held
from services.runtime import database as runtime_database
from services.runtime.database import connected, pool
from services.runtime.outbox import Outbox
from services.runtime.web import Problem
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


class NoProducer:
    """Nothing is published here."""

    async def publish(self, records: object) -> None: ...

    async def close(self) -> None: ...


async def test_lists_whose_lenders_were_told_to_come_again_are_not_kept(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given(version: int) -> Given:
        address = Address(PointKind.EMAIL, f"v{version}@example.com", None, ())
        return Given("acme", UUID(int=version), version, (address,), whole=True)

    async with pool(database.dsn("notifier"), schema="notifier", max_size=1) as db:
        keys = Keys(b"i" * 32, Keyring({"k1": b"k" * 32}))
        intake = Intake(db, Outbox(db, NoProducer()), keys)
        running = asyncio.create_task(intake.run())
        async with connected(db):
            with monkeypatch.context() as patch:
                patch.setattr(notifier_intake, "ANSWER_SECONDS", 0.05)
                first = asyncio.create_task(intake.write(given(1)))
                await asyncio.sleep(0)
                while intake._waiting:  # until it is being written, as far as that goes
                    await asyncio.sleep(0)
                for version in (2, 3):
                    with pytest.raises(Problem, match="unavailable"):
                        await intake.write(given(version))
                with pytest.raises(Problem, match="unavailable"):
                    await first
        assert (await intake.write(given(4))).counted
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        written = await db.fetch("SELECT DISTINCT borrower_id FROM addresses")
    # The first may have been written: its transaction was waiting for the connection.
    assert {row["borrower_id"].int for row in written} - {1} == {4}
