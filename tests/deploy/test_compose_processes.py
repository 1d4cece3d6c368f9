"""Every service of docker-compose.yml runs as it stands there, as a plain process.

Command, environment and health check are the file's own; what differs from a container is where
things are: host names, ports and two folders.
"""

import asyncio
import json
import signal
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from services.runtime.child_process import free_ports
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import SERVICES
from tests.deploy.compose import ComposeService, compose_services

ONCE = ("secrets", "migrate", "keys", "topics", "fcm-account")
LASTING = ("sandbox", "policy", "notifier", "scheduler")
PORTS = ("8010", "8011", "8020", "8021", "8030", "8031", "8025", "8090")
READY_SECONDS = 60.0
STOP_SECONDS = 10.0


@asynccontextmanager
async def composed(tmp_path: Path, kafka: str) -> AsyncIterator[dict[str, ComposeService]]:
    """The file's services beside a PostgreSQL as its `postgres` would be, and our Kafka."""
    ports = dict(zip(PORTS, map(str, free_ports(len(PORTS))), strict=True))
    hosts = ("policy:8020", "notifier:8030", "sandbox:8090")
    (tmp_path / "run").mkdir()
    (tmp_path / "lib").mkdir()
    async with EmbeddedPostgres(durable=False) as server:
        services = compose_services(
            {host: f"127.0.0.1:{ports[host.partition(':')[2]]}" for host in hosts}
            | {
                "kafka:9092": kafka,
                "postgres:5432": f"127.0.0.1:{server.port}",
                "--host=sandbox": "--host=127.0.0.1",
                "/run/dunwell": str(tmp_path / "run"),
                "/var/lib/dunwell": str(tmp_path / "lib"),
            }
            | ports
        )
        services["secrets"].run()  # before PostgreSQL, which reads its password there
        await make_dunwell(server, (tmp_path / "run" / "postgres_password").read_text())
        yield services


async def make_dunwell(server: EmbeddedPostgres, password: str) -> None:
    """What the image of PostgreSQL does at its first start, told by POSTGRES_USER and so on."""
    admin = await asyncpg.connect(server.dsn)
    await admin.execute(f"CREATE ROLE dunwell SUPERUSER LOGIN PASSWORD '{password}'")
    await admin.execute("CREATE DATABASE dunwell OWNER dunwell")
    await admin.close()


async def healthy(service: ComposeService, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait as Compose does until the health check ends with 0."""
    deadline = time.monotonic() + READY_SECONDS
    while not service.is_healthy():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        await asyncio.sleep(0.3)


async def exit_code(process: subprocess.Popen[bytes]) -> int | None:
    """The exit code after SIGTERM, or None where it still runs after ten seconds."""
    process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        await asyncio.sleep(0.05)
    return process.poll()


@pytest.mark.slow
async def test_every_service_gets_healthy_and_stops_within_ten_seconds_of_sigterm(
    tmp_path: Path, empty_kafka: str
) -> None:
    running: dict[str, subprocess.Popen[bytes]] = {}
    async with composed(tmp_path, empty_kafka) as services:
        assert {name for name, service in services.items() if service.is_ours} == {*ONCE, *LASTING}
        try:
            for name in ONCE:
                services[name].run()
            for name in LASTING:
                with (tmp_path / f"{name}.log").open("wb") as log:
                    running[name] = services[name].start(log)
            for name in LASTING:
                await healthy(services[name], running[name], tmp_path / f"{name}.log")
            assert lender_is_let_in(services["scheduler"], tmp_path / "run" / "lender_key") == 200
            codes = {name: await exit_code(running[name]) for name in reversed(LASTING)}
            words = {name: (tmp_path / f"{name}.log").read_text() for name in codes}
            assert codes == dict.fromkeys(LASTING, 0), words
        finally:
            for process in running.values():
                if process.poll() is None:
                    process.kill()
                    process.wait()


def lender_is_let_in(scheduler: ComposeService, key: Path) -> int:
    """The status of a request with the key that the first comment of the file tells of."""
    port = scheduler.environment["DUNWELL_HTTP_PORT"]
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/borrowers",
        json.dumps({"borrower_ref": "B-1", "version": 1, "country": "US"}).encode(),
        {"Authorization": f"Bearer {key.read_text()}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        status: int = answer.status
        return status


async def test_the_steps_before_the_services_can_be_repeated(tmp_path: Path) -> None:
    async with composed(tmp_path, "127.0.0.1:9") as services:
        before = {file.name: file.read_text() for file in (tmp_path / "run").iterdir()}
        for _ in range(2):  # every start of the composition repeats them
            for name in ("secrets", "migrate", "keys"):
                services[name].run()
        assert {file.name: file.read_text() for file in (tmp_path / "run").iterdir()} == before
        for service in SERVICES:
            connection = await asyncpg.connect(
                (tmp_path / f"run/{service}_database_url").read_text()
            )
            tenants = await connection.fetch(f"SELECT tenant FROM {service}.api_keys ORDER BY 1")
            await connection.close()
            assert [row["tenant"] for row in tenants] == ["*", "demo"]
