"""Whatever comes in at a door, the answer is one that the service's OpenAPI document names."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import hypothesis
import pytest
import requests
import schemathesis
from aiohttp import web
from aiohttp.test_utils import TestServer
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from services.notifier.addresses import Keyring, parse_keys
from services.notifier.handlers import Keys
from services.notifier.intake import Intake
from services.policy import jurisdictions, upkeep
from services.policy.handlers import Context as PolicyContext
from services.policy.rulesets import RuleSets
from services.runtime import apikeys, database
from services.runtime.apikeys import ApiKeys
from services.runtime.outbox import Outbox
from services.runtime.web import application
from services.scheduler import cadence
from services.scheduler.intake import Context as SchedulerContext
from services.scheduler.paid_door import PaidDoor
from tests.database import Database
from tests.openapi.doors import ROUTES
from tests.openapi.fill import document

PEPPER = b"a pepper of a test, long enough for it"
IDENTITY = b"an identity key of a test, long enough"
ONLY = "Scope service."
EXAMPLES = 6  # of each operation and of each kind, right and wrong

CHECKS = (
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)


class SilentProducer:
    """Nothing reads here: what is published stays in the outbox."""

    async def publish(self, records: Sequence[object]) -> None: ...

    async def close(self) -> None: ...


class SilentForwarder:
    """Policy is away; a sweep would tell it later."""

    async def forward(self) -> None: ...


@asynccontextmanager
async def open_doors(service: str, there: Database) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """The service's doors on a port, with its own database; the URL and keys that open all."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(database.pool(there.dsn(service), schema=service))
        async with db.acquire() as connection:
            lender = await apikeys.issue(
                connection,
                PEPPER,
                tenant="acme",
                scopes=["ingest", "clearance", "admin"],
                label="lender",
            )
            other = await apikeys.issue(
                connection, PEPPER, tenant="*", scopes=["service"], label="service"
            )
            if service == "policy":
                await upkeep.make_partitions(connection)
        keys, relay = ApiKeys(db, PEPPER), Outbox(db, SilentProducer())
        given: dict[str, Any]
        if service == "scheduler":
            behind = web.Application()
            behind.add_routes([web.post("/v1/debts", _no_content)])
            policy = await stack.enter_async_context(TestServer(behind))
            session = await stack.enter_async_context(aiohttp.ClientSession())
            paid = PaidDoor(session, str(policy.make_url("")), "service-key")
            cadences = cadence.load(cadence.SHIPPED)
            context = SchedulerContext(identity_key=IDENTITY, cadences=cadences)
            given = {"context": context, "db": db, "keys": keys, "relay": relay, "paid": paid}
        elif service == "policy":
            rule_sets = RuleSets(jurisdictions.load())
            known = PolicyContext(rule_sets=rule_sets, identity_key=IDENTITY)
            given = {"context": known, "db": db, "keys": keys, "outbox": relay}
        else:
            ring = Keyring(parse_keys("k1:" + base64.b64encode(b"k" * 32).decode()))
            intake = Intake(db, relay, Keys(IDENTITY, ring))
            writing = asyncio.create_task(intake.run())
            stack.callback(writing.cancel)
            given = {
                "db": db,
                "relay": relay,
                "intake": intake,
                "keys": keys,
                "forwarder": SilentForwarder(),
                "identity": IDENTITY,
            }
        server = await stack.enter_async_context(TestServer(application(ROUTES[service](**given))))
        yield str(server.make_url("")).rstrip("/"), {"lender": lender, "service": other}


async def _no_content(request: web.Request) -> web.Response:
    return web.Response(status=204)


@pytest.mark.slow
@pytest.mark.parametrize("service", ROUTES)
async def test_no_request_makes_a_door_fail_or_answer_what_is_not_described(
    service: str, database: Database
) -> None:
    async with open_doors(service, database) as (url, keys):
        await asyncio.to_thread(fuzz, document(service), url, keys)


def fuzz(described: dict[str, Any], url: str, keys: dict[str, str]) -> None:
    """Every operation with requests as described, and with others; raises with all that failed."""
    schema = schemathesis.openapi.from_dict(described)
    wrong = []
    with requests.Session() as session:
        for found in schema.get_all_operations():
            operation = found.ok()
            scope = operation.definition.raw.get("description")
            key = keys["service" if scope == ONLY else "lender"]
            headers = {"Authorization": f"Bearer {key}"}
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                try:
                    ask(operation, mode, session, url, headers)
                except hypothesis.errors.Unsatisfiable:
                    pass  # nothing wrong can be made of an operation that takes nothing
                except (Exception, FailureGroup) as error:
                    said = error.exceptions if isinstance(error, FailureGroup) else (error,)
                    wrong.append(f"{operation.label} ({mode.value}): {said}")
    assert not wrong, "\n\n".join(wrong)


def ask(
    operation: Any, mode: GenerationMode, session: requests.Session, url: str, headers: Any
) -> None:
    """Some requests of one operation; raises on the first answer that is not as described."""

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def each(case: schemathesis.Case) -> None:
        case.call_and_validate(
            base_url=url, session=session, headers=headers, checks=list(CHECKS), timeout=20
        )

    each()
