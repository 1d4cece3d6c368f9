"""Lost answers, brokers and databases that go away, members that come and go: nothing is lost."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from deploy.kafka.broker import KafkaBroker
from services.runtime.child_process import free_ports
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import SERVICES
from tests.database import PASSWORDS, Database
from tests.faults.proxy import proxy_to
from tests.faults.siege import besieged

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RESTARTS = 6


async def test_a_redeem_whose_answer_was_lost_books_once_and_sends_once(
    database: Database, empty_kafka: str, tmp_path: Path
) -> None:
    (own_port,) = free_ports(1)
    async with (
        besieged(
            tmp_path,
            database.admin_dsn,
            empty_kafka,
            passwords=PASSWORDS,
            POLICY_URL=f"http://127.0.0.1:{own_port}",
        ) as siege,
        proxy_to(siege.world.ports["policy.http"], own_port) as proxy,
    ):
        await siege.load(60)
        proxy.losing = 3
        await siege.fall_due()
        await siege.healed()
        assert proxy.lost == 3
        await siege.judge()
        assert (
            await siege.owner.fetchval(
                "SELECT max(n) FROM (SELECT count(*) AS n FROM policy.contacts"
                " WHERE outcome <> 'cancelled' GROUP BY tenant, reminder_id) AS bookings"
            )
            == 1
        )


async def test_the_broker_may_restart_and_members_may_come_and_go(
    database: Database, own_kafka: KafkaBroker, empty_kafka: str, tmp_path: Path
) -> None:
    async with besieged(tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS) as siege:
        await siege.load(60)
        for name in SERVICES:  # a second member of each group, on ports of its own
            siege.processes.start_service(name, "-2", DUNWELL_HTTP_PORT="0", DUNWELL_ADMIN_PORT="0")
        await siege.fall_due()
        await asyncio.sleep(1.0)
        await own_kafka.kill()
        await asyncio.sleep(1.0)
        await own_kafka.start()
        await siege.load(40)
        await siege.fall_due()
        for name in SERVICES:
            await siege.processes.stop(f"{name}-2", signal.SIGKILL)
        await siege.healed()
        await siege.judge()


@contextlib.asynccontextmanager
async def own_database() -> AsyncIterator[EmbeddedPostgres]:
    """A PostgreSQL of this test's own, to be restarted."""
    async with EmbeddedPostgres(durable=False) as server:
        yield server


async def test_postgresql_may_restart_under_load(empty_kafka: str, tmp_path: Path) -> None:
    async with (
        own_database() as server,
        besieged(tmp_path, server.dsn, empty_kafka, passwords=PASSWORDS) as siege,
    ):
        await siege.load(60)
        await siege.fall_due()
        await asyncio.sleep(0.4)
        await server.restart("immediate")
        siege.owner = await _again(server.dsn)
        await siege.load(30)
        await siege.fall_due()
        await siege.healed()
        await siege.judge()
        await siege.owner.close()


async def test_no_service_ends_while_postgresql_is_restarted_again_and_again(
    tmp_path: Path,
) -> None:
    """Stream and tables are away together; each time statements are torn at other moments."""
    async with (
        own_database() as server,
        besieged(tmp_path, server.dsn, "", passwords=PASSWORDS) as siege,
    ):
        await siege.load(60)
        members = await siege.owner.fetchval("SELECT count(*) FROM stream.members")
        await siege.fall_due()
        for number in range(RESTARTS):
            await asyncio.sleep(0.3 * number)
            await server.restart("fast")
        siege.owner = await _again(server.dsn)
        # Each member of a group gives a sign of life again.
        latest = await siege.owner.fetchval("SELECT max(expires_at) FROM stream.members")
        renewed = "SELECT count(*) FILTER (WHERE expires_at > $1) >= $2 FROM stream.members"
        await siege.until(renewed, latest, members)
        await siege.load(30)
        await siege.fall_due()
        await siege.healed()
        await siege.judge()
        await siege.owner.close()


async def _again(url: str) -> asyncpg.Connection:
    for _ in range(600):
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            return await asyncpg.connect(url)
        await asyncio.sleep(0.1)
    raise AssertionError("PostgreSQL did not come back in 60 s")
