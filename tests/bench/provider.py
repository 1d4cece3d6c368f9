"""A provider that costs almost nothing: answers Twilio's message request, counts, no more.

The sandbox is aiohttp and would be the bottleneck; here the services are what is measured.
"""

import asyncio
import json
import sys
from typing import cast

import uvloop

_SID = "SM" + "0" * 32
_BODY = json.dumps({"sid": _SID, "status": "queued", "num_segments": "1"}).encode()
_ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
)
counted = 0


class Provider(asyncio.Protocol):
    """One keep-alive connection; a request may come in several pieces."""

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one by shape only

    def data_received(self, data: bytes) -> None:
        global counted
        held = self._held + data
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = held[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(held) < end + 4 + length:
                break
            if head.startswith(b"get /count"):
                body = str(counted).encode()
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
                )
            else:
                counted += 1
                self._transport.write(_ANSWER)
            held = held[end + 4 + length :]
        self._held = held


async def serve(port: int) -> None:
    """Until killed."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
