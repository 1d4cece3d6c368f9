"""A TCP proxy that loses answers on demand, or holds back requests or answers as long as asked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal


class Proxy:
    """Forwards to one port; while `losing` is above 0 it cuts a connection instead of an answer.

    What comes while `late` says so (requests or answers) is held until `released` is set.
    """

    def __init__(self, target_port: int) -> None:
        self._target = target_port
        self.losing = 0
        self.lost = 0
        self.late: Literal["", "requests", "answers"] = ""
        self.held = asyncio.Event()
        self.released = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client connection, which ends with the proxy at the latest."""
        task = asyncio.create_task(self._handle(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def end(self) -> None:
        """Cut what is still open."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            upstream, outward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(self._forward(reader, outward), self._answer(upstream, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            for end in (outward, writer):
                end.close()
                with contextlib.suppress(OSError):
                    await end.wait_closed()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self.late == "requests":
                await self._hold()
            writer.write(data)
            await writer.drain()
        if not self.held.is_set():  # a caller that gave up must not take its request with it
            writer.write_eof()

    async def _hold(self) -> None:
        self.held.set()
        await self.released.wait()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self.losing > 0:
                self.losing -= 1
                self.lost += 1
                raise ConnectionResetError  # policy has committed; nobody will hear of it
            if self.late == "answers":
                await self._hold()
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def proxy_to(port: int, own_port: int) -> AsyncIterator[Proxy]:
    """A proxy on `own_port` in front of `port`."""
    proxy = Proxy(port)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", own_port)
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
