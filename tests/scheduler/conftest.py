"""The scheduler's own fixtures: its pool on a fresh database, and what recording needs."""

import os
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.runtime import apikeys
from services.runtime import database as runtime_database
from services.runtime.apikeys import ApiKeys
from services.runtime.database import Pool
from services.runtime.outbox import Outbox
from services.runtime.web import application
from services.scheduler import cadence
from services.scheduler.doors import MAX_BODY_BYTES, Doors
from services.scheduler.intake import Context
from services.scheduler.paid_door import PaidDoor
from tests.database import Database
from tests.scheduler.builders import NOW, TENANT, stand_at
from tests.scheduler.importing import Importing, Notifier
from tests.scheduler.lender import PEPPER, Lender, Policy, SilentProducer

IDENTITY_KEY = b"an identity key of a test, long enough"


@pytest.fixture
async def db(database: Database) -> AsyncIterator[Pool]:
    """The scheduler's own pool on this test's database."""
    async with runtime_database.pool(database.dsn("scheduler"), schema="scheduler") as pool:
        yield pool


@pytest.fixture(scope="session")
def cadences() -> Mapping[str, cadence.Cadence]:
    """The shipped ones."""
    return cadence.load(cadence.SHIPPED)


@pytest.fixture
def context(cadences: Mapping[str, cadence.Cadence]) -> Context:
    """With the shipped cadences."""
    return Context(identity_key=IDENTITY_KEY, cadences=cadences)


@pytest.fixture
def policy() -> Policy:
    """What stands behind `lender` in policy's place."""
    return Policy()


@pytest.fixture
async def lender(
    db: Pool, context: Context, policy: Policy, database: Database
) -> AsyncIterator[Lender]:
    """The doors with an ingest key, at NOW."""
    await stand_at(database, NOW)
    gate = web.Application()
    gate.add_routes([web.post("/v1/debts", policy.debts)])
    async with db.acquire() as connection:
        key = await apikeys.issue(
            connection, PEPPER, tenant=TENANT, scopes=["ingest"], label="test"
        )
    async with TestServer(gate) as behind, aiohttp.ClientSession() as session:
        paid = PaidDoor(session, str(behind.make_url("")), "service-key")
        relay = Outbox(db, SilentProducer())
        doors = Doors(context, db, ApiKeys(db, PEPPER), relay, paid)
        async with TestServer(application(doors.routes(), max_body_bytes=MAX_BODY_BYTES)) as ours:
            yield Lender(session, str(ours.make_url("")).rstrip("/"), key)


@pytest.fixture
async def importing(db: Pool, context: Context, database: Database) -> AsyncIterator[Importing]:
    """Both doors and the command, at NOW."""
    await stand_at(database, NOW)
    notifier = Notifier()
    gate = web.Application()
    gate.add_routes(
        [
            web.put("/v1/borrowers/{borrower_ref}/contact-points", notifier.put),
            web.get("/openapi.json", notifier.document),
        ]
    )
    async with db.acquire() as connection:
        key = await apikeys.issue(
            connection, PEPPER, tenant=TENANT, scopes=["ingest"], label="test"
        )
    async with aiohttp.ClientSession() as session, TestServer(gate) as addresses:
        paid = PaidDoor(session, "http://127.0.0.1:1", "service-key")
        doors = Doors(context, db, ApiKeys(db, PEPPER), Outbox(db, SilentProducer()), paid)
        async with TestServer(application(doors.routes(), max_body_bytes=MAX_BODY_BYTES)) as ours:
            environment = {
                "PATH": os.environ["PATH"],
                "COLUMNS": "200",
                "DUNWELL_SCHEDULER_URL": str(ours.make_url("")),
                "DUNWELL_NOTIFIER_URL": str(addresses.make_url("")),
                "DUNWELL_API_KEY": key,
            }
            yield Importing(environment, notifier)
