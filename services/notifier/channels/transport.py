"""One HTTP client for all providers: no retries, no redirects, and it knows if a byte was written.

The SDKs' own clients re-send on 5xx or on a dropped connection, which is how people get a reminder
twice.  Here a failure before the first byte is `NotWritten`; any other is the caller's Unknown.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from services.notifier.channels import Deadline, NotSent
from services.runtime.crashpoints import reach

MAX_ANSWER_BYTES = 64 * 1024
# Below the usual 60 s of servers: a connection they just closed would make an unknown outcome.
KEEPALIVE_SECONDS = 10.0
_NO_TIMEOUT = aiohttp.ClientTimeout(total=None)  # each call has its own deadline


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


DEADLINE: ContextVar[Deadline] = ContextVar("deadline")
"""Carries the deadline past an SDK that has no argument for it."""


class Transport:
    """POST and GET with a total deadline over the connections of one aiohttp connector.

    Connecting, TLS, the pool and the parser are aiohttp's.  Its session and request objects are
    not used: they were half of what a reminder costs, and a session re-sends a GET by itself.
    """

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self._connector = connector
        self._origins: dict[URL, aiohttp.ClientRequest] = {}

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
        deadline: Deadline,
    ) -> HttpAnswer:
        """The complete answer; NotWritten if nothing left; else whatever went wrong."""
        target = _parsed(url)
        head = _head(method, target, tuple(headers.items()))
        data = b"%sContent-Length: %d\r\n\r\n%s" % (head, len(body or b""), body or b"")
        written = False
        try:
            async with asyncio.timeout_at(deadline.end_by):
                connection, protocol = await self._connected(target.origin())
                try:
                    # The last look at the clock; nothing waits between it and the bytes.
                    if asyncio.get_running_loop().time() >= deadline.write_by:
                        raise NotWritten("too_late")
                    protocol.set_response_params(read_until_eof=True)
                    assert protocol.transport is not None
                    written = True
                    protocol.transport.write(data)
                    reach("notifier.request_sent")
                    answer = await _answer(protocol)
                except BaseException:
                    connection.close()
                    raise
                connection.release()
                return answer
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if not written:
                raise NotWritten(_why(error)) from None
            raise

    async def _connected(self, origin: URL) -> tuple[Connection, ResponseHandler]:
        if (asked := self._origins.get(origin)) is None:
            loop = asyncio.get_running_loop()
            asked = self._origins[origin] = aiohttp.ClientRequest("POST", origin, loop=loop)
        while True:
            connection = await self._connector.connect(asked, [], _NO_TIMEOUT)
            protocol = connection.protocol
            # A server that spoke unasked (a 408, often) is about to hang up, and what it said would
            # be read as the answer to what we are going to ask.
            if protocol is not None and protocol.is_connected() and not protocol.should_close:
                return connection, protocol
            connection.close()


async def _answer(protocol: ResponseHandler) -> HttpAnswer:
    while True:
        message, content = await protocol.read()
        if message.code >= 200 or message.code == 101:
            break
    chunks: list[bytes] = []
    room = MAX_ANSWER_BYTES
    while not content.at_eof():
        chunks.append(await content.readany())
        room -= len(chunks[-1])
        if room < 0:
            raise AnswerTooLong
    return HttpAnswer(message.code, b"".join(chunks), message.headers)


@lru_cache(maxsize=256)
def _parsed(url: str) -> URL:
    try:
        parsed = URL(url)
        parsed.origin()
    except ValueError:
        raise NotWritten("wrong_url") from None
    return parsed


@lru_cache(maxsize=256)
def _head(method: str, url: URL, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The request line and the headers; a line break in one would make two."""
    host = url.host_subcomponent if url.is_default_port() else url.host_port_subcomponent
    lines = [
        f"{method} {url.raw_path_qs} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: dunwell",
        *(f"{name}: {value}" for name, value in headers),
    ]
    if any("\r" in line or "\n" in line or "\0" in line for line in lines):
        raise NotWritten("wrong_header")
    return "\r\n".join((*lines, "")).encode()


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
    connector = aiohttp.TCPConnector(
        limit=concurrency,
        limit_per_host=0,
        keepalive_timeout=KEEPALIVE_SECONDS,
        ttl_dns_cache=60,
    )
    try:
        yield Transport(connector)
    finally:
        await connector.close()
