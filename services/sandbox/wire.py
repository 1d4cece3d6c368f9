"""HTTP answers that go right, and the ways in which they go wrong on the wire."""

import asyncio
import os
import socket
import struct
from dataclasses import dataclass, field
from typing import cast

import msgspec
from aiohttp import web

from services.sandbox.arrival import Arrival, World, depart
from services.sandbox.behaviors import Behavior

GARBAGE = b'<!doctype html>\x00{"sid": SM\xff\xfe not an answer at all'
BAD_GATEWAY_PAGE = b"<html><head><title>502</title></head><body><h1>Bad Gateway</h1></body></html>"

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as the provider would write it."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    code: str | int | None = None  # the provider's own error code, for the history

    def response(self) -> web.Response:
        return web.Response(
            status=self.status,
            body=self.body,
            headers=self.headers,
            content_type=self.content_type,
        )


def json_reply(
    status: int,
    value: object,
    headers: dict[str, str] | None = None,
    code: str | int | None = None,
) -> Reply:
    return Reply(status, _encode(value), headers or {}, code=code)


def fault_reply(
    behavior: Behavior, good: Reply, errors: dict[int, Reply], path: str
) -> Reply | None:
    """What will be answered; None for a connection that is held or reset."""
    match behavior:
        case Behavior.RATE_LIMITED:
            return errors[429]
        case Behavior.SERVER_ERROR | Behavior.ACCEPT_500:
            return errors[500]
        case Behavior.UNAVAILABLE | Behavior.ACCEPT_503:
            return errors[503]
        case Behavior.BAD_GATEWAY:
            return Reply(502, BAD_GATEWAY_PAGE, content_type="text/html")
        case Behavior.REDIRECT:
            return Reply(307, b"", {"Location": path})
        case Behavior.GARBAGE:
            return Reply(good.status, GARBAGE)
        case Behavior.TIMEOUT | Behavior.ACCEPT_TIMEOUT | Behavior.RESET | Behavior.ACCEPT_RESET:
            return None
        case _:
            return good


async def answer(
    world: World, request: web.Request, arrival: Arrival, reply: Reply | None
) -> web.StreamResponse:
    """Gives the answer, or fails to, as the behavior says; the reply's line comes first."""
    behavior = arrival.behavior
    if behavior is Behavior.SLOW:
        await pause(world, world.settings.slow_seconds)
    await depart(world, arrival, None if reply is None else reply.status)
    if reply is None:
        if behavior in (Behavior.TIMEOUT, Behavior.ACCEPT_TIMEOUT):
            await hold(world, request.transport)
            return _cut(request)
        return _cut(request)
    if behavior is Behavior.TRUNCATED:
        return await _truncated(request, reply)
    return reply.response()


async def pause(world: World, seconds: float) -> None:
    """A sleep that the sandbox's end cuts short."""
    try:
        async with asyncio.timeout(seconds):
            await world.stopping.wait()
    except TimeoutError:
        pass


async def hold(world: World, transport: asyncio.BaseTransport | None) -> None:
    """Says nothing until the caller gives up, the hold is over or the sandbox ends."""
    deadline = asyncio.get_running_loop().time() + world.settings.hold_seconds
    while (
        transport is not None
        and not transport.is_closing()
        and not world.stopping.is_set()
        and (left := deadline - asyncio.get_running_loop().time()) > 0
    ):
        await pause(world, min(left, 0.2))


def reset(transport: asyncio.BaseTransport | None) -> None:
    """Sends a TCP reset rather than a polite end."""
    if transport is None or transport.is_closing():
        return
    if (peer := transport.get_extra_info("socket")) is not None:
        # A copy of the descriptor: the event loop's own socket object allows no options.
        with socket.socket(fileno=os.dup(peer.fileno())) as copy:
            copy.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    cast(asyncio.Transport, transport).abort()


def _cut(request: web.Request) -> web.Response:
    reset(request.transport)
    return web.Response()  # nobody is there to read it


async def _truncated(request: web.Request, reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_type = reply.content_type
    response.content_length = len(reply.body)
    await response.prepare(request)
    await response.write(reply.body[: len(reply.body) // 2])
    await asyncio.sleep(0)
    if request.transport is not None:
        request.transport.close()
    return response
