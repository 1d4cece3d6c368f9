"""Doors answer bad input with problem+json that names the field, and never quotes the value."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from uuid import UUID

import asyncpg
import msgspec
import pytest
from aiohttp import ClientSession, web

from services.events.base import Instant, MinorUnits
from services.events.words import Product
from services.runtime.admin import Health, serve, serving
from services.runtime.web import Problem, application, json_response, mistaken, read_json


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    amount_minor: MinorUnits
    at: Instant
    product: Product = Product.OTHER


async def echo(request: web.Request) -> web.Response:
    return json_response(await read_json(request, Body), 201)


async def fail(request: web.Request) -> web.Response:
    raise RuntimeError("+12025550123 is somebody's number")


async def unreachable(request: web.Request) -> web.Response:
    raise AWAY[request.query["error"]]("postgresql://somebody:secret@host")


AWAY: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        ConnectionRefusedError,
        TimeoutError,
        asyncpg.ConnectionDoesNotExistError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.TooManyConnectionsError,
        asyncpg.DiskFullError,
        asyncpg.ReadOnlySQLTransactionError,
        asyncpg.InvalidPasswordError,
        asyncpg.InterfaceError,
    )
}


async def refuse(request: web.Request) -> web.Response:
    raise Problem(503, "policy_unreachable", "repeat it; nothing is lost")


@pytest.fixture
async def door() -> AsyncIterator[str]:
    app = application(
        [
            web.post("/echo", echo),
            web.get("/fail", fail),
            web.get("/unreachable", unreachable),
            web.post("/unreachable", unreachable),
            web.get("/refuse", refuse),
        ],
        max_body_bytes=9_000,
    )
    async with serving(app, "127.0.0.1", 0) as port:
        yield f"http://127.0.0.1:{port}"


WORDS = ", ".join(Product)
GOOD = '"amount_minor": 12, "at": "2026-05-12T12:00:00Z"'


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (f"{{{GOOD}}}", 201, None),
        ('{"amount_minor": NaN, "at": "2026-05-12T12:00:00Z"}', 400, None),
        ('{"amount_minor": -1, "at": "2026-05-12T12:00:00Z"}', 422, "$.amount_minor"),
        ('{"amount_minor": 1.5, "at": "2026-05-12T12:00:00Z"}', 422, "$.amount_minor"),
        ('{"amount_minor": 1, "at": "2026-05-12T12:00:00"}', 422, "$.at"),
        (f'{{{GOOD}, "product": "+12025550123"}}', 422, "$.product"),
        (f'{{{GOOD}, "surprise": 1}}', 422, "$.surprise"),
        (f'{{{GOOD}, "+1 202 555 0123": 1}}', 422, "$"),
        (f'{{{GOOD}, "product": "\\u0000"}}', 422, "$.product"),
        ("{", 400, None),
        ("\xff", 400, None),
        (f'{{{GOOD}, "product": {"[" * 4_000}"\\u0000"{"]" * 4_000}}}', 400, None),
        ("{%s}" % ("x" * 10_000), 413, None),
    ],
)
async def test_a_body_is_taken_strictly(
    door: str, body: str, status: int, field: str | None
) -> None:
    async with (
        ClientSession() as session,
        session.post(f"{door}/echo", data=body.encode("latin-1")) as answer,
    ):
        text = await answer.text()
        assert answer.status == status, text
        assert "+12025550123" not in text
        if status != 201:
            assert answer.content_type == "application/problem+json"
        if field:
            assert field in [
                error["field"] for error in (await answer.json(content_type=None))["errors"]
            ]


async def test_an_unforeseen_error_says_nothing_of_its_cause(
    door: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ClientSession() as session, session.get(f"{door}/fail") as answer:
        assert answer.status == 500
        assert "2025550123" not in await answer.text()
        # It may have failed behind a commit.
        assert "not known" in (await answer.json(content_type=None))["detail"]
    assert "2025550123" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("error", AWAY)
async def test_a_database_that_is_away_is_a_503_that_is_logged_once_a_while(
    door: str, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ClientSession() as session:
        for _ in range(20):
            async with session.get(f"{door}/unreachable", params={"error": error}) as answer:
                assert answer.status == 503
                assert answer.headers["Retry-After"]
                said = await answer.text()
                assert '"unavailable"' in said
                assert "secret" not in said
                assert "stored" not in said  # who only asks had nothing to be stored
            async with session.post(f"{door}/unreachable", params={"error": error}) as answer:
                assert answer.status == 503
                assert "not known to be stored; send it again" in await answer.text()
    assert "".join(capsys.readouterr()).count("database_unreachable") == 1


async def test_a_client_that_hangs_up_is_no_database_that_is_away(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reading, over = asyncio.Event(), asyncio.Event()

    async def listen(request: web.Request) -> web.Response:
        reading.set()
        try:
            return json_response(await read_json(request, Body))
        finally:
            over.set()

    async with (
        asyncio.timeout(60),
        serving(application([web.post("/", listen)]), "127.0.0.1", 0) as port,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST / HTTP/1.1\r\nHost: door\r\nContent-Length: 900\r\n\r\n{")
        await reading.wait()
        writer.close()
        await over.wait()
    assert "".join(capsys.readouterr()) == ""


async def test_a_door_that_must_wait_says_when_to_come_back(door: str) -> None:
    async with ClientSession() as session, session.get(f"{door}/refuse") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"]
        assert (await answer.json(content_type=None))["code"] == "policy_unreachable"


async def test_wrong_paths_and_methods_are_problems_too(door: str) -> None:
    async with ClientSession() as session:
        async with session.get(f"{door}/nowhere") as answer:
            assert (answer.status, answer.content_type) == (404, "application/problem+json")
        async with session.get(f"{door}/echo") as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_health_tells_liveness_from_readiness() -> None:
    health = Health()
    complaints: list[str] = []

    async def database() -> str | None:
        if complaints:
            raise ConnectionError("postgresql://somebody:secret@host")
        return None

    health.live("consumer", lambda: complaints[0] if complaints else None)
    health.ready("database", database)
    async with serve(health, "127.0.0.1", 0) as port, ClientSession() as session:
        base = f"http://127.0.0.1:{port}"
        async with session.get(f"{base}/readyz") as answer:
            assert answer.status == 200
        complaints.append("no progress for 60 s")
        async with session.get(f"{base}/livez") as answer:
            assert answer.status == 503
            assert "no progress" in await answer.text()
        async with session.get(f"{base}/readyz") as answer:
            assert answer.status == 503
            assert "secret" not in await answer.text()
        async with session.get(f"{base}/metrics") as answer:
            assert "dunwell_consumed_total" in await answer.text()


async def test_readiness_may_be_asked_while_a_service_still_adds_its_checks() -> None:
    health = Health()

    async def first() -> str | None:
        health.ready("second", second)
        return "the first is not well"

    async def second() -> str | None:
        return "nor the second"

    health.ready("first", first)
    assert list(await health.unready()) == ["first"]
    assert list(await health.unready()) == ["first", "second"]


class Whole(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    parts: tuple[Body, ...] = ()
    id: UUID | None = None
    day: date | None = None


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            '{"parts": [{"amount_minor": 1}]}',
            ("$.parts[0].at", "is missing", "send it: docs/api.md tells what it is"),
        ),
        (
            '{"part": []}',
            ("$.part", "is an unknown field", "remove it or mend its name: parts, id, day"),
        ),
        (
            '{"parts": [{"+12025550123": 1}]}',
            (
                "$.parts[0]",
                "has an unknown field",
                "remove it or mend its name: amount_minor, at, product",
            ),
        ),
        (
            '{"+12025550123 - at home": 1}',
            ("$", "has an unknown field", "remove it or mend its name: parts, id, day"),
        ),
        (
            f'{{"parts": [{{{GOOD}, "product": "+12025550123"}}]}}',
            ("$.parts[0].product", "is none of the words there are", f"one of {WORDS}"),
        ),
        (
            '{"parts": [{"amount_minor": 1, "at": "2026-05-12T12:00:00"}]}',
            (
                "$.parts[0].at",
                "is no instant with a time zone",
                "write it as 2026-05-12T12:00:00Z",
            ),
        ),
        (
            f'{{"parts": [{{{GOOD}, "product": 5}}]}}',
            ("$.parts[0].product", "is wrong (Expected `str`, got `int`)", "send it as text"),
        ),
        (
            '{"parts": 5}',
            ("$.parts", "is wrong (Expected `array`, got `int`)", "send it as a list"),
        ),
        ('{"day": "12/05/2026"}', ("$.day", "is no date", "write it as 2026-05-12")),
        (
            '{"id": "7"}',
            ("$.id", "is no UUID", "write it as 0f8fad5b-d9cb-469f-a165-70867728950e"),
        ),
    ],
)
def test_what_is_wrong_with_a_body_is_told_with_its_field_and_its_fix(
    body: str, error: tuple[str, str, str]
) -> None:
    with pytest.raises(msgspec.ValidationError) as wrong:
        msgspec.json.decode(body, type=Whole)
    problem = mistaken(wrong.value, Whole)
    assert problem.errors == (error,)
    assert problem.detail == f"{error[0]} {error[1]}: {error[2]}"
