"""Providers that lie on demand: a raw HTTP server for Twilio and FCM, a raw SMTP server."""

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qs
from uuid import uuid4


class HttpLiar:
    """Answers as Twilio and FCM do, unless `lies` holds the next conduct."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.connections = 0
        self.lies: deque[str] = deque()
        self.lies_by_to: dict[str, str] = {}
        self.answering = asyncio.Event()  # cleared: every request waits for its answer
        self.answering.set()
        self.silent = asyncio.Event()  # set when somebody is left without an answer
        self.port = 0
        self.listed: list[dict[str, str]] = []
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while await self._one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.lies and self.lies[0] == "reset_before":
            self.lies.popleft()
            return reset(writer)
        head = await reader.readuntil(b"\r\n\r\n")
        line, *rest = head.decode().split("\r\n")
        headers = {k.lower(): v for k, _, v in (part.partition(": ") for part in rest)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = line.split(" ")
        if path == "/token":
            return await self._answer(writer, 200, {"access_token": "tok", "expires_in": 3600})
        if method == "GET":
            return await self._answer(writer, 200, {"messages": self.listed, "uri": path})
        fields = _fields(path, body) | {"authorization": headers.get("authorization", "")}
        self.requests.append(fields)
        await self.answering.wait()
        conduct = self.lies_by_to.get(fields["to"]) or (self.lies.popleft() if self.lies else "ok")
        return await self._behave(writer, conduct, fields)

    def _list(self, sid: str, fields: dict[str, str]) -> None:
        named = {"sid": sid, "body": fields["body"], "to": fields["to"]}
        self.listed.append(named | {"date_created": format_datetime(datetime.now(UTC))})

    async def _behave(
        self, writer: asyncio.StreamWriter, conduct: str, fields: dict[str, str]
    ) -> bool:
        yes = {
            "sid": f"SM{uuid4().hex}",
            "status": "queued",
            "name": f"projects/p/messages/{uuid4()}",
        }
        kind, _, rest = conduct.partition(":")
        match kind:
            case "ok":
                self._list(yes["sid"], fields)
                return await self._answer(writer, 201 if fields["twilio"] else 200, yes)
            case "status":
                status, _, text = rest.partition(":")
                return await self._answer(writer, int(status), text or "<html>no</html>")
            case "redirect":
                await self._answer(writer, 307, "", {"Location": "/elsewhere"})
                return True
            case "reset_after":
                return reset(writer)
            case "close":
                return False
            case "hang":
                self._list(yes["sid"], fields)
                self.silent.set()
                await asyncio.Event().wait()
                return False
            case "truncated":
                text = json.dumps(yes).encode()
                writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 999\r\n\r\n" + text)
                await writer.drain()
                return False
            case "garbage":
                writer.write(b"\x00\xff\x13 not http at all\r\n\r\n")
                await writer.drain()
                return False
            case _:
                raise AssertionError(conduct)

    async def _answer(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        body: object,
        more: dict[str, str] | None = None,
    ) -> bool:
        text = body if isinstance(body, str) else json.dumps(body)
        head = {"Content-Type": "application/json", "Content-Length": str(len(text.encode()))}
        lines = "".join(f"{k}: {v}\r\n" for k, v in (head | (more or {})).items())
        writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n{text}".encode())
        await writer.drain()
        return True

    def hang_up(self) -> None:
        for writer in list(self._writers):
            writer.close()


def _fields(path: str, body: bytes) -> dict[str, str]:
    if path.startswith("/2010-04-01/"):
        form = {k: v[0] for k, v in parse_qs(body.decode()).items()}
        return {"to": form["To"], "body": form["Body"], "twilio": "1", **form}
    message = json.loads(body)["message"]
    return {
        "to": message["token"],
        "body": message["notification"]["body"],
        "title": message["notification"]["title"],
        "ttl": message["android"]["ttl"],
        "collapse": message["android"]["collapse_key"],
        "twilio": "",
        **message["data"],
    }


def reset(writer: asyncio.StreamWriter) -> bool:
    """RST instead of FIN."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


class SmtpLiar:
    """A mail server of thirty lines; `lies` maps a stage to what it does there, once."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []
        self.connections = 0
        self.lies: dict[str, str] = {}
        self.silent = asyncio.Event()  # set when somebody is left without an answer
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not await self._say(writer, "greeting", b"220 liar\r\n"):
            return
        while line := await reader.readline():
            word = line.split()[0].upper().decode()
            if word in ("EHLO", "HELO"):
                writer.write(b"250 liar\r\n")
            elif word == "QUIT":
                writer.write(b"221 bye\r\n")
                return
            elif word == "DATA":
                if not await self._say(writer, "data", b"354 go\r\n"):
                    return
                self.mails.append(await reader.readuntil(b"\r\n.\r\n"))
                if not await self._say(writer, "dot", b"250 ok\r\n"):
                    return
            elif not await self._say(writer, word.lower(), b"250 ok\r\n"):
                return

    async def _say(self, writer: asyncio.StreamWriter, stage: str, usual: bytes) -> bool:
        lie = self.lies.pop(stage, None)
        match lie:
            case None:
                writer.write(usual)
            case "reset":
                return reset(writer)
            case "close":
                return False
            case "hang":
                self.silent.set()
                await asyncio.Event().wait()
                return False
            case _:
                writer.write(lie.encode() + b"\r\n")
        await writer.drain()
        return True

    def hang_up(self) -> None:
        for writer in list(self._writers):
            writer.close()


@asynccontextmanager
async def serving(liar: HttpLiar | SmtpLiar) -> AsyncIterator[None]:
    """On a free loopback port until the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        with suppress(asyncio.CancelledError):
            await liar.serve(reader, writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    liar.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        liar.hang_up()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
