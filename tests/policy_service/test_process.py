"""Policy as a process of its own: events and HTTP in, answers out, stopped by a signal."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec
import pytest

from services.events.codec import Record, borrower_key, encode
from services.events.permits import RedeemRequest
from services.events.reminders import ReminderAllowed
from services.runtime import apikeys, clock
from services.runtime.streams import open_stream
from tests.database import Database
from tests.policy_service.events import AFTERNOON, TENANT, attempt, due, known_events, who
from tests.runtime.streams import stream_settings
from tests.service_process import (
    PEPPER,
    is_ready,
    ports,
    read_until,
    refused,
    running,
    variables,
)


@asynccontextmanager
async def client(database: Database, port: int) -> AsyncIterator[aiohttp.ClientSession]:
    """Speaks to policy's doors with the service's credential and an admin's, by header."""
    connection = await asyncpg.connect(
        database.dsn("policy"), server_settings={"search_path": "policy"}
    )
    key = await apikeys.issue(connection, PEPPER, tenant="*", scopes=["service"], label="test")
    admin = await apikeys.issue(
        connection, PEPPER, tenant=TENANT, scopes=["admin", "ingest"], label="test"
    )
    await connection.close()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        session.headers["Authorization"] = f"Bearer {admin}"
        session.headers["X-Service-Key"] = key
        yield session


def a_record(event: Any) -> Record:
    key = borrower_key(event.tenant, getattr(event, "borrower_id", "any"))
    return encode(event, source="test", key=key, event_id=uuid4(), time=AFTERNOON)


@pytest.fixture
def servers(stream_kind: str, request: pytest.FixtureRequest) -> str:
    """Kafka's address, with no topic on it yet; the PostgreSQL stream needs none."""
    if stream_kind == "postgres":
        return "127.0.0.1:1"
    address: str = request.getfixturevalue("empty_kafka")
    return address


async def test_a_due_comes_in_is_allowed_and_redeemed_over_http(
    database: Database, stream_kind: str, servers: str, tmp_path: Path
) -> None:
    owner = await asyncpg.connect(database.admin_dsn)
    await clock.install_stepped(owner, AFTERNOON)
    settings = stream_settings(stream_kind, database.dsn("policy"), servers)
    async with open_stream(settings) as stream:
        await stream.ensure_topics()
        producer = await stream.producer()
        log = tmp_path / "log"
        environment = variables(
            "policy",
            database,
            DUNWELL_STREAM=stream_kind,
            DUNWELL_KAFKA_BOOTSTRAP_SERVERS=servers,
            DUNWELL_SANDBOX="true",
        )
        with running("policy", environment, log) as process:
            async with client(database, (await ports(log))["doors"]) as session:
                service = {"Authorization": f"Bearer {session.headers['X-Service-Key']}"}
                for pack in ("us-fed", "house"):
                    asked = {"pack": pack, "by": "ann", "approved_by": "bob"}
                    async with session.post("/v1/activations", json=asked) as answer:
                        assert answer.status == 201, await answer.text()
                reminder = due("ada")
                events = [*known_events("ada"), reminder]
                await producer.publish([a_record(event) for event in events])
                [allowed] = await read_until(stream, ReminderAllowed, 1)
                assert allowed.reminder_id == reminder.reminder_id
                body = msgspec.json.encode(RedeemRequest(redeems=(attempt(reminder),)))
                async with session.post("/v1/permits:redeem", data=body, headers=service) as answer:
                    assert answer.status == 200, await answer.text()
                    [result] = (await answer.json())["results"]
                    assert result["verdict"] == "allow"
                async with session.get(f"/v1/reminders/{reminder.reminder_id}/decisions") as answer:
                    decisions = (await answer.json())["decisions"]
                # Held at first, if the reminder was faster than its borrower.
                assert [d["checkpoint"] for d in decisions[-2:]] == ["due", "redeem"]
                assert [d["verdict"] for d in decisions[-2:]] == ["allow", "allow"]
                assert decisions[0]["borrower_id"] == str(who("ada"))
            assert await is_ready(log)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
        await producer.close()
    await owner.close()


def test_a_stepped_clock_stops_the_start_unless_every_provider_is_the_sandbox(
    database: Database,
) -> None:
    async def step() -> None:
        owner = await asyncpg.connect(database.admin_dsn)
        await clock.install_stepped(owner, AFTERNOON)
        await owner.close()

    asyncio.run(step())
    done = refused("policy", variables("policy", database, DUNWELL_SANDBOX="false"))
    assert done.returncode != 0
    assert "DUNWELL_SANDBOX=true" in done.stderr
