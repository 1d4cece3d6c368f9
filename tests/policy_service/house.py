"""Policy's doors with a key for each kind of visitor, and what a visitor says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import msgspec

from services.policy.doors import Doors
from services.runtime import apikeys
from services.runtime.admin import serving
from services.runtime.apikeys import ApiKeys
from services.runtime.database import transaction
from services.runtime.web import application
from tests.policy_service.events import AFTERNOON, TENANT, WINDOW, pack, stop
from tests.policy_service.world import World

PEPPER = b"p" * 32
ON_HER_WORD = {
    "ended_at": AFTERNOON,
    "lifted_by": "clerk",
    "on_word_of": "borrower",
    "evidence": "letter 12",
}


@dataclass
class House:
    """The doors, and a key for each kind of visitor."""

    world: World
    session: aiohttp.ClientSession
    keys: dict[str, str]

    async def __call__(
        self, visitor: str, method: str, path: str, body: Any = None
    ) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {self.keys[visitor]}"} if visitor else {}
        sent = data if body is not None else None
        async with self.session.request(method, path, data=sent, headers=headers) as answer:
            raw = await answer.read()
            return answer.status, msgspec.json.decode(raw) if raw else None


# visitor: tenant, scope of their key
VISITORS: dict[str, tuple[str, apikeys.Scope]] = {
    "service": ("*", "service"),
    "lender": (TENANT, "ingest"),
    "other lender": ("zeta", "ingest"),
    "officer": (TENANT, "admin"),
    "dialer": (TENANT, "clearance"),
    "other dialer": ("zeta", "clearance"),
}


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[House]:
    """The doors of a world, with one window in force."""
    await world.rules(pack(WINDOW))
    keys = {}
    async with transaction(world.db) as connection:
        for visitor, (tenant, scope) in VISITORS.items():
            keys[visitor] = await apikeys.issue(
                connection, PEPPER, tenant=tenant, scopes=[scope], label="test"
            )
    doors = Doors(
        context=world.context,
        db=world.db,
        keys=ApiKeys(world.db, PEPPER),
        outbox=world.outbox,
        sandbox=False,
    )
    async with (
        serving(application(doors.routes()), "127.0.0.1", 0) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        yield House(world, session, keys)


def a_stop(**changes: Any) -> dict[str, Any]:
    body = msgspec.to_builtins(stop("ada"))
    del body["tenant"]
    return {**body, **changes}
