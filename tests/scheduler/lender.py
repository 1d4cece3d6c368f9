"""The scheduler's doors with a lender's key before them and a double of policy's behind."""

from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import aiohttp
from aiohttp import web

PEPPER = b"a pepper of a test, long enough for it"


@dataclass
class Policy:
    """What policy's paid door was told, and how it answers."""

    status: int = 204
    told: list[dict[str, Any]] = field(default_factory=list)

    async def debts(self, request: web.Request) -> web.Response:
        self.told.append(await request.json())
        return web.Response(status=self.status)


class SilentProducer:
    """Nothing reads here: the outbox is looked at in the database."""

    async def publish(self, records: object) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Lender:
    """A client with a key."""

    session: aiohttp.ClientSession
    url: str
    key: str

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        data = {"data": BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        async with self.session.request(method, self.url + path, headers=headers, **data) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        return await self.call("POST", path, body)

    async def get(self, path: str) -> tuple[int, Any]:
        return await self.call("GET", path)
