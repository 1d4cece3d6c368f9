"""HTTP doors: problem+json errors, strict JSON bodies, size limits."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import asyncpg
import msgspec
import structlog
import yaml
from aiohttp import web
from msgspec import inspect

from services.runtime import bounds
from services.runtime.log import Seldom

T = TypeVar("T")
# The database is away, ends, has no connection or no room left, takes no writes, or has had its
# password changed: once that is mended a repeat goes through.
AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
SELDOM = web.AppKey("seldom", Seldom)
MAX_BODY_BYTES = 4 * 1024 * 1024

# What msgspec says of a body that is not of its type.
_PATH = re.compile(r"`(\$[\w.\[\]]*)`\Z")
_STEP = re.compile(r"\.(\w+)")
_MISSING = re.compile(r"Object missing required field `(.*)`\Z")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`?\Z", re.DOTALL)
FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}\Z")
_INSTANT = ("is no instant with a time zone", "2026-05-12T12:00:00Z")
_FORMS = (
    ("Expected `datetime`", *_INSTANT),
    ("Invalid RFC3339 encoded datetime", *_INSTANT),
    ("Invalid RFC3339 encoded date", "is no date", "2026-05-12"),
    ("Expected `date`", "is no date", "2026-05-12"),
    ("Invalid UUID", "is no UUID", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    ("Expected `uuid`", "is no UUID", "0f8fad5b-d9cb-469f-a165-70867728950e"),
)
_EXPECTED = re.compile(r"Expected `([^`]*)`, got ")
_KINDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}

_encode = msgspec.json.Encoder().encode


class FieldError(NamedTuple):
    """One thing wrong with a request: where, what, and how to mend it.  Never the value itself."""

    field: str
    problem: str
    fix: str


class Problem(Exception):
    """An HTTP error as RFC 9457 has it, with a code a program can act on."""

    def __init__(
        self, status: int, code: str, detail: str, errors: Sequence[FieldError] = ()
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail, self.errors = status, code, detail, tuple(errors)

    def response(self) -> web.Response:
        """The problem+json body."""
        body: dict[str, Any] = {
            "type": f"urn:dunwell:problem:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            body["errors"] = [error._asdict() for error in self.errors]
        headers = {"Retry-After": "5"} if self.status == 503 else None
        return web.Response(
            status=self.status,
            body=_encode(body),
            content_type="application/problem+json",
            headers=headers,
        )


def invalid(field: str, problem: str, fix: str) -> Problem:
    """422: one thing is wrong with the request."""
    return Problem(422, "invalid", f"{field} {problem}", [FieldError(field, problem, fix)])


def path_id(request: web.Request, name: str = "id") -> UUID:
    """The `{id}` of the path; raises 404, for nothing can have another id."""
    try:
        return UUID(request.match_info[name])
    except ValueError:
        raise Problem(404, "not_found", "the id in the path is not a UUID") from None


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every failure becomes problem+json; an unforeseen one says nothing of its cause."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPRequestEntityTooLarge:
        return Problem(413, "too_large", "the body is larger than this door takes").response()
    except web.HTTPNotFound:
        return Problem(404, "no_such_route", f"no {request.method} at this path").response()
    except web.HTTPMethodNotAllowed as error:
        allowed = ", ".join(sorted(error.allowed_methods))
        answer = Problem(405, "method_not_allowed", f"this path takes {allowed}").response()
        answer.headers["Allow"] = allowed
        return answer
    except web.HTTPException:
        raise
    except asyncpg.DataError as error:
        # A number or a date of the right form that no column holds; its transaction is undone.
        structlog.get_logger().warning("request_refused", error=type(error).__name__)
        fix = "a number or a date is too large or too small to be stored"
        return Problem(422, "invalid", fix).response()
    except AWAY as error:
        if error is request.content.exception():
            # Whoever asked hung up before all was said: nothing is away, and nobody hears this.
            return Problem(400, "not_json", "the body ended too early").response()
        request.app[SELDOM].warning("database_unreachable", error=type(error).__name__)
        asked = request.method in ("GET", "HEAD")
        said = "it can't be looked up just now" if asked else "it is not known to be stored"
        return Problem(503, "unavailable", f"{said}; send it again").response()
    except Exception as error:
        # The class only: a message may quote the data that caused it.
        structlog.get_logger().error("request_failed", error=type(error).__name__)
        said = "our fault; it is not known whether anything was changed, send it again"
        return Problem(500, "internal", said).response()


def application(
    routes: Sequence[web.AbstractRouteDef], *, max_body_bytes: int = MAX_BODY_BYTES
) -> web.Application:
    """An application of these routes with the problem middleware and a body limit."""
    app = web.Application(middlewares=[problems], client_max_size=max_body_bytes)
    app[SELDOM] = Seldom()
    app.add_routes(routes)
    return app


async def read_json(request: web.Request, type_: type[T]) -> T:
    """The body as `type_`, strictly: 400 if it isn't JSON, 422 naming the field if it's wrong."""
    raw = await request.read()
    try:
        if (path := bounds.nul(raw)) is not None:
            error = FieldError(f"${path}", "contains a NUL character", "remove it")
            raise Problem(422, "invalid", f"${path} contains a NUL character", [error])
        return stored(msgspec.json.decode(raw, type=type_), type_)
    except msgspec.ValidationError as wrong:
        raise mistaken(wrong, type_) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Problem(400, "not_json", "the body is not valid JSON in UTF-8") from None
    except RecursionError:
        raise Problem(400, "not_json", "the body is nested too deeply") from None


def stored(value: T, type_: type[T]) -> T:
    """`value`, if a database can hold it; else 422 naming the field."""
    if (path := bounds.out_of_range(value, type_)) is None:
        return value
    fix = (
        f"write an instant of the years {bounds.FIRST_YEAR} to {bounds.LAST_YEAR}, or leave it out"
    )
    error = FieldError(f"${path}", "is out of range", fix)
    raise Problem(422, "invalid", f"${path} is out of range", [error])


def mistaken(wrong: msgspec.ValidationError, type_: Any) -> Problem:
    """422 naming the field of a `type_` that is wrong, and the fix."""
    said, apart, place = str(wrong).rpartition(" - at ")
    at = _PATH.search(place) if apart else None
    error = _mistake(said if apart else place, at[1] if at else "$", type_)
    return Problem(422, "invalid", f"{error.field} {error.problem}: {error.fix}", [error])


def _mistake(said: str, path: str, type_: Any) -> FieldError:
    """msgspec's sentence as ours.  It may quote a value, which may be personal: ours never does."""
    if missing := _MISSING.match(said):
        return FieldError(
            f"{path}.{missing[1]}", "is missing", "send it: docs/api.md tells what it is"
        )
    if unknown := _UNKNOWN.match(said):
        fix = f"remove it or mend its name: {', '.join(_words(type_, path))}"
        if FIELD_NAME.match(unknown[1]):
            return FieldError(f"{path}.{unknown[1]}", "is an unknown field", fix)
        return FieldError(path, "has an unknown field", fix)
    if said.startswith("Invalid enum value"):
        fix = f"one of {', '.join(_words(type_, path))}"
        return FieldError(path, "is none of the words there are", fix)
    for beginning, problem, example in _FORMS:
        if said.startswith(beginning):
            return FieldError(path, problem, f"write it as {example}")
    safe = said.split(" '")[0].split(' "')[0]
    return FieldError(path, f"is wrong ({safe})", _send_as(said))


def _send_as(said: str) -> str:
    """The fix for a value of another kind of JSON: the kinds that msgspec expected."""
    expected = _EXPECTED.match(said)
    kinds = expected[1].split(" | ") if expected else []
    if not kinds or not set(kinds) <= _KINDS.keys():
        return "see docs/api.md"
    return f"send it as {' or '.join(_KINDS[kind] for kind in kinds)}"


def _words(type_: Any, path: str) -> list[str]:
    """The fields of the struct, or the words of the enum, that `type_` has at a path."""
    shape = _inner(inspect.type_info(type_))
    for name in _STEP.findall(path):
        fields = shape.fields if isinstance(shape, inspect.StructType) else ()
        shape = next((_inner(f.type) for f in fields if f.encode_name == name), shape)
    match shape:
        case inspect.EnumType():
            return [str(word.value) for word in shape.cls]
        case inspect.LiteralType():
            return [str(word) for word in shape.values]
        case inspect.StructType():
            return [field.encode_name for field in shape.fields]
    return ["see docs/api.md"]


def _inner(shape: inspect.Type) -> inspect.Type:
    """Without what is around it: lists, constraints, and that it may be null."""
    match shape:
        case inspect.Metadata():
            return _inner(shape.type)
        case inspect.UnionType():
            return _inner(next(t for t in shape.types if not isinstance(t, inspect.NoneType)))
        case inspect.CollectionType() | inspect.VarTupleType():
            return _inner(shape.item_type)
    return shape


def described(document: Path) -> web.RouteDef:
    """`GET /openapi.json`, without a key: the OpenAPI document of a service, as JSON."""
    read = lru_cache(maxsize=1)(lambda: _encode(yaml.safe_load(document.read_text("utf-8"))))

    async def show(request: web.Request) -> web.Response:
        # Half a second's work the first time: beside the other doors, not in their way.
        return web.Response(body=await asyncio.to_thread(read), content_type="application/json")

    return web.get("/openapi.json", show)


def json_response(value: object, status: int = 200) -> web.Response:
    """`value` (a struct, a dict, a list) as JSON."""
    return web.Response(status=status, body=_encode(value), content_type="application/json")
