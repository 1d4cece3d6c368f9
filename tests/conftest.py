"""Real servers for the tests: a PostgreSQL and an Apache Kafka a run, a database a test."""

import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Generator, Iterator
from functools import cache
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.kafka.broker import KafkaBroker
from deploy.kafka.fetch import KafkaUnavailable, jars, java
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import migrate_all
from services.runtime.settings import StreamSettings
from services.runtime.streams import open_stream
from tests.database import PASSWORDS, Database
from tests.memory import data_folder

TEMPLATE = "dunwell_template"
PATIENCE_SECONDS = 60.0
# What takes minutes begins first, so that at the end no worker waits for another.
LONG = ("tests/faults/", "tests/e2e/", "tests/runtime/", "tests/deploy/", "tests/openapi/")
EXTERNAL_KAFKA = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
_numbers = itertools.count()
_not_run = pytest.StashKey[dict[str, int]]()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[EmbeddedPostgres]:
    """One server for the whole run. A test that kills or restarts PostgreSQL starts its own."""
    with data_folder() as folder:
        server = EmbeddedPostgres(folder, durable=False)
        try:
            asyncio.run(server.start())
            yield server
        finally:
            server.remove()


@pytest.fixture(scope="session")
def template_database(postgres_server: EmbeddedPostgres) -> str:
    """What every test's own database is cloned from: migrated, and with the topics."""

    async def build() -> None:
        admin = await asyncpg.connect(postgres_server.dsn)
        await admin.execute(f"CREATE DATABASE {TEMPLATE}")
        await admin.close()
        await migrate_all(postgres_server.dsn_of(TEMPLATE), PASSWORDS)
        url = postgres_server.dsn_of(TEMPLATE)
        async with open_stream(StreamSettings(database_url=url)) as stream:
            await stream.ensure_topics()

    asyncio.run(build())
    return TEMPLATE


@pytest.fixture
async def database(
    postgres_server: EmbeddedPostgres, template_database: str
) -> AsyncIterator[Database]:
    """A migrated, empty database of this test's own."""
    name = f"test_{next(_numbers)}"
    admin = await asyncpg.connect(postgres_server.dsn)
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE {template_database}")
    try:
        yield Database(postgres_server, name)
    finally:
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await admin.close()


@pytest.fixture(scope="session")
def own_kafka() -> Iterator[KafkaBroker]:
    """One broker for the whole run. A test that kills or restarts Kafka starts its own."""
    with data_folder() as folder:
        broker = KafkaBroker(folder)
        try:
            asyncio.run(broker.start())
            yield broker
        finally:
            broker.remove()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """Bootstrap servers of a cluster that other tests use too: name topics and groups of your own.

    KAFKA_BOOTSTRAP_SERVERS names another cluster than the one started here.
    """
    if EXTERNAL_KAFKA:
        return EXTERNAL_KAFKA
    broker: KafkaBroker = request.getfixturevalue("own_kafka")
    return broker.bootstrap_servers


async def _without_topics(broker: KafkaBroker) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            await _delete_topics(broker)
            return broker.bootstrap_servers
        except KafkaError:  # for a moment the broker is no member of its own cluster
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.5)


async def _delete_topics(broker: KafkaBroker) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap_servers)
    try:
        await admin.start()
        while topics := [name for name in await admin.list_topics() if not name.startswith("__")]:
            await admin.delete_topics(topics)
            await asyncio.sleep(0.05)
    finally:
        await admin.close()


@pytest.fixture
async def empty_kafka(own_kafka: KafkaBroker) -> str:
    """Bootstrap servers of our broker with no topic on it, for tests of the whole product."""
    return await _without_topics(own_kafka)


@pytest.fixture
def broker(stream_kind: str, request: pytest.FixtureRequest) -> KafkaBroker | None:
    """Our own broker where this run of the test is on Kafka."""
    if stream_kind == "postgres":
        return None
    own: KafkaBroker = request.getfixturevalue("own_kafka")
    return own


@pytest.fixture
async def empty_broker(broker: KafkaBroker | None) -> str:
    """As `empty_kafka` where this run of the test is on Kafka, else the empty text."""
    return await _without_topics(broker) if broker else ""


@pytest.fixture(params=["postgres", pytest.param("kafka", marks=pytest.mark.kafka)])
def stream_kind(request: pytest.FixtureRequest) -> str:
    """A test that asks for this runs once on each stream; `kafka` still has to be asked for."""
    kind: str = request.param
    return kind


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Mark what needs Kafka before `-m` chooses; then take out what can't run here, and say so."""
    for item in items:
        if {"kafka", "own_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")
    yield
    items.sort(
        key=lambda item: next((n for n, p in enumerate(LONG) if p in item.nodeid), len(LONG))
    )
    left_out: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("kafka") and (reason := _why_no_kafka(item)):
            left_out.setdefault(reason, []).append(item)
    gone = [item for group in left_out.values() for item in group]
    items[:] = [item for item in items if item not in gone]
    config.hook.pytest_deselected(items=gone)
    config.stash[_not_run] = {reason: len(group) for reason, group in left_out.items()}


def _why_no_kafka(item: pytest.Item) -> str:
    if EXTERNAL_KAFKA and "own_kafka" not in getattr(item, "fixturenames", ()):
        return ""
    return _why_no_broker()


@cache
def _why_no_broker() -> str:
    try:
        java()
        jars()
    except KafkaUnavailable as error:
        return str(error)
    return ""


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """What a parallel worker could not run, told to the process that speaks to the user."""
    counts = node.config.stash.setdefault(_not_run, {})
    for reason, number in getattr(node, "workeroutput", {}).get("not_run", {}).items():
        counts[reason] = max(counts.get(reason, 0), number)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that could not run is a failed test."""
    incomplete = session.config.stash.get(_not_run, {})
    if (told := getattr(session.config, "workeroutput", None)) is not None:
        told["not_run"] = incomplete
    elif incomplete and os.environ.get("CI") == "true" and session.exitstatus in (0, 5):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last lines: what did not run, and why."""
    if hasattr(config, "workeroutput"):
        return
    for reason, number in config.stash.get(_not_run, {}).items():
        print(f"\n!!! NOT RUN: {number} tests that need Apache Kafka. Why: {reason}")
