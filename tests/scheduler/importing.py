"""`dunwell import` as a process, and the notifier's door it sends addresses to."""

import asyncio
import signal
import sys
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Notifier:
    """What the notifier's door was told, and how it answers."""

    lists: dict[str, Any] = field(default_factory=dict)
    title: str = "Dunwell notifier"
    refuses: str = ""
    down_for: int = 0
    hangs_at: str = ""

    async def document(self, _: web.Request) -> web.Response:
        return web.json_response({"info": {"title": self.title}})

    async def put(self, request: web.Request) -> web.Response:
        if self.down_for:
            self.down_for -= 1
            return web.Response(status=503)
        reference = request.match_info["borrower_ref"]
        if reference == self.hangs_at:
            await asyncio.sleep(3_600)
        if reference == self.refuses:
            error = {"field": "contact_points[0].value", "problem": "is no number", "fix": "mend"}
            return web.json_response({"code": "invalid", "errors": [error]}, status=422)
        given = await request.json()
        if self.lists.get(reference, given)["version"] > given["version"]:
            return web.json_response({"code": "version_old"}, status=409)
        self.lists[reference] = given
        return web.json_response({})


@dataclass
class Importing:
    """A scheduler's and a notifier's door, and the command."""

    environment: dict[str, str]
    notifier: Notifier

    async def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        process = await self._start(*arguments, **variables)
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def run_until(self, shown: str, *arguments: str) -> tuple[int, str]:
        """The same with Ctrl-C as soon as a person on a terminal sees `shown`; what came then."""
        process = await self._start(*arguments, FORCE_COLOR="1")
        assert process.stdout is not None
        await process.stdout.readuntil(shown.encode())
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def _start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "import", *arguments,
            env=self.environment | variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # As on a terminal: what a shell began in the background doesn't hear Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
