"""Every door asks for a key: whose, and for what."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiohttp import ClientSession, web
from yarl import URL

from services.runtime import apikeys
from services.runtime.admin import serving
from services.runtime.database import pool, transaction
from services.runtime.web import application, json_response
from tests.database import Database

PEPPER = b"p" * 32


class Door:
    def __init__(self, url: str, keys: dict[str, str]) -> None:
        self.url, self.keys = url, keys

    async def ask(self, authorization: str | None) -> tuple[int, dict[str, str]]:
        headers = {"Authorization": authorization} if authorization else {}
        async with ClientSession() as session, session.get(self.url, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    async with pool(database.dsn("policy"), schema="policy") as db:
        keys = {}
        async with transaction(db) as connection:
            for tenant, scope in (("acme", "ingest"), ("zenith", "admin"), ("*", "service")):
                keys[scope] = await apikeys.issue(
                    connection, PEPPER, tenant=tenant, scopes=[scope], label="test"
                )
            keys["revoked"] = await apikeys.issue(
                connection, PEPPER, tenant="acme", scopes=["ingest"], label="test"
            )
            await connection.execute(
                "UPDATE api_keys SET revoked_at = now() WHERE key_id = $1",
                keys["revoked"].split("_")[1],
            )
        checker = apikeys.ApiKeys(db, PEPPER)

        async def who(request: web.Request) -> web.Response:
            return json_response({"tenant": await checker.tenant(request, "ingest", "service")})

        async with serving(application([web.get("/", who)]), "127.0.0.1", 0) as port:
            yield Door(f"http://127.0.0.1:{port}/", keys)


async def test_the_key_says_whose_request_it_is(door: Door) -> None:
    assert await door.ask(f"Bearer {door.keys['ingest']}") == (200, {"tenant": "acme"})
    assert await door.ask(f"Bearer {door.keys['service']}") == (200, {"tenant": "*"})


async def test_a_key_without_the_scope_is_refused(door: Door) -> None:
    status, body = await door.ask(f"Bearer {door.keys['admin']}")
    assert (status, body["code"]) == (403, "scope_missing")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda keys: None,
        lambda keys: "Bearer",
        lambda keys: f"Basic {keys['ingest']}",
        lambda keys: f"Bearer {keys['ingest'][:-1]}",
        lambda keys: f"Bearer {keys['ingest']}x",
        lambda keys: f"Bearer {keys['revoked']}",
        lambda keys: "Bearer dw_000000000000_" + "x" * 43,
        lambda keys: "Bearer na\u00efve",
    ],
)
async def test_a_missing_wrong_or_revoked_key_is_refused(door: Door, spoil) -> None:  # type: ignore[no-untyped-def]
    status, body = await door.ask(spoil(door.keys))
    assert status == 401
    assert body["code"] in ("key_missing", "key_wrong")


@pytest.mark.parametrize("at", [3, 20])
async def test_a_key_that_is_no_text_is_refused(door: Door, at: int) -> None:
    key = door.keys["ingest"].encode()
    url = URL(door.url)
    assert url.host is not None
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ")
    writer.write(key[:at] + b"\xff" + key[at + 1 :] + b"\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_a_service_credential_and_a_tenant_key_cannot_be_confused() -> None:
    with pytest.raises(ValueError, match="an API key looks like"):
        apikeys._parts("dw_short_key")


@pytest.mark.parametrize(
    ("tenant", "scopes"),
    [
        ("Acme", ["ingest"]),
        ("acme bank", ["ingest"]),
        ("-acme", ["ingest"]),
        ("acme\n", ["ingest"]),
        ("a" * 41, ["ingest"]),
        ("", ["ingest"]),
        ("*", ["ingest"]),
        ("acme", ["service"]),
    ],
)
async def test_a_key_is_issued_only_for_a_tenant_that_an_event_can_name(
    database: Database, tenant: str, scopes: list[str]
) -> None:
    async with (
        pool(database.dsn("policy"), schema="policy") as db,
        transaction(db) as connection,
    ):
        with pytest.raises(apikeys.WrongTenant):
            await apikeys.issue(connection, PEPPER, tenant=tenant, scopes=scopes, label="test")
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "INSERT INTO api_keys (key_id, tenant, scopes, secret_hmac, label)"
                " VALUES ('0123456789ab', $1, $2, '', 'past the code')",
                tenant,
                scopes,
            )
