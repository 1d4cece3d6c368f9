"""One HTTP client for all providers: no retries, no redirects, and it knows if a byte was written.

The SDKs' own clients re-send on 5xx or on a dropped connection, which is how people get a reminder
twice.  Here a failure before the first byte is `NotWritten`; any other is the caller's Unknown.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, NamedTuple

import aiohttp
import msgspec

from services.notifier.channels import Deadline, NotSent
from services.runtime.crashpoints import reach

MAX_ANSWER_BYTES = 64 * 1024
# Below the usual 60 s of servers: a connection they just closed would make an unknown outcome.
KEEPALIVE_SECONDS = 10.0


class NotWritten(Exception):
    """The connection was never used: not one byte of the request was written."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.answer = NotSent(why)


class AnswerTooLong(Exception):
    """More bytes than any provider's answer has; its meaning is unknown."""


class HttpAnswer(NamedTuple):
    """A complete answer, of any status."""

    status: int
    body: bytes
    headers: Mapping[str, str]


class _Call:
    """One request's way through aiohttp."""

    __slots__ = ("deadline", "written")

    def __init__(self, deadline: Deadline) -> None:
        self.deadline = deadline
        self.written = False


_CALL: ContextVar[_Call] = ContextVar("call")
DEADLINE: ContextVar[Deadline] = ContextVar("deadline")
"""Carries the deadline past an SDK that has no argument for it."""


class _Request(aiohttp.ClientRequest):
    """Looks at the clock, and takes note, at the last moment before bytes are written."""

    async def send(self, conn: Any) -> aiohttp.ClientResponse:
        call = _CALL.get()
        if call.written:
            raise RuntimeError("a request is written once")
        if asyncio.get_running_loop().time() >= call.deadline.write_by:
            raise NotWritten("too_late")
        call.written = True
        return await super().send(conn)

    async def write_bytes(self, *args: Any, **more: Any) -> None:
        await super().write_bytes(*args, **more)
        reach("notifier.request_sent")


class Transport:
    """POST and GET with a total deadline over one tuned session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        auth: tuple[str, str] | None = None,
        deadline: Deadline,
    ) -> HttpAnswer:
        """The complete answer; NotWritten if nothing left; else whatever went wrong."""
        call = _Call(deadline)
        token = _CALL.set(call)
        try:
            async with (
                asyncio.timeout_at(deadline.end_by),
                self._session.request(
                    method,
                    url,
                    data=body,
                    headers=headers,
                    auth=aiohttp.BasicAuth(*auth) if auth else None,
                    allow_redirects=False,
                ) as response,
            ):
                if (response.content_length or 0) > MAX_ANSWER_BYTES:
                    raise AnswerTooLong
                content = await response.read()
                return HttpAnswer(response.status, content, response.headers)
        except NotWritten:
            raise
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if not call.written:
                raise NotWritten(_why(error)) from None
            raise
        finally:
            _CALL.reset(token)


_WHY: tuple[tuple[type[BaseException], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "name_unresolved"),
    (aiohttp.ClientSSLError, "tls_failed"),
    (TimeoutError, "connect_timed_out"),
    (aiohttp.ClientConnectorError, "connect_failed"),
    (aiohttp.InvalidURL, "wrong_url"),
)


def _why(error: BaseException) -> str:
    return next((why for kind, why in _WHY if isinstance(error, kind)), "connection_lost")


@asynccontextmanager
async def open_transport(concurrency: int) -> AsyncIterator[Transport]:
    """A transport with as many connections as sends may be in flight: nobody queues for one."""
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=concurrency,
            limit_per_host=0,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=60,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # each call has its own deadline
        request_class=_Request,
        auto_decompress=True,
        trust_env=False,
        skip_auto_headers=("User-Agent", "Accept-Encoding"),
        headers={"User-Agent": "dunwell"},
        json_serialize=lambda value: msgspec.json.encode(value).decode(),
    )
    async with session:
        yield Transport(session)
