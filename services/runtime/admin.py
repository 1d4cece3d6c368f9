"""The admin port: is it alive, is it ready, what does it count."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from services.runtime.metrics import REGISTRY
from services.runtime.settings import PREFIX, SettingsError
from services.runtime.web import application, json_response

LiveCheck = Callable[[], str | None]
ReadyCheck = Callable[[], Awaitable[str | None]]


class Health:
    """What can be wrong, by name.  A check answers None, or one sentence saying what is wrong.

    Liveness watches progress (a consumer that stands while there is lag), not whether a task still
    exists: aiokafka can hang silently after a broker restart.
    """

    def __init__(self) -> None:
        self._live: dict[str, LiveCheck] = {}
        self._ready: dict[str, ReadyCheck] = {}

    def live(self, name: str, check: LiveCheck) -> None:
        """Add or replace a check of liveness: not well for long means restart me."""
        self._live[name] = check

    def ready(self, name: str, check: ReadyCheck) -> None:
        """Add or replace a check of readiness: not well means send me nothing now."""
        self._ready[name] = check

    def dead(self) -> dict[str, str]:
        """Every liveness check that complains."""
        return {name: said for name, check in self._live.items() if (said := check())}

    async def unready(self) -> dict[str, str]:
        """Every readiness check that complains; one that fails itself complains by class."""
        said = {}
        for name, check in list(self._ready.items()):
            try:
                answer = await check()
            except Exception as error:
                answer = f"the check itself failed: {type(error).__name__}"
            if answer:
                said[name] = answer
        return said


@asynccontextmanager
async def serve(health: Health, host: str, port: int) -> AsyncIterator[int]:
    """Serve /livez, /readyz and /metrics; yields the port (0 picks a free one)."""

    async def livez(_request: web.Request) -> web.Response:
        dead = health.dead()
        return json_response({"live": not dead, "problems": dead}, 503 if dead else 200)

    async def readyz(_request: web.Request) -> web.Response:
        problems = health.dead() | await health.unready()
        return json_response(
            {"ready": not problems, "problems": problems}, 503 if problems else 200
        )

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    app = application(
        [web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)]
    )
    async with serving(app, host, port, "ADMIN") as bound:
        yield bound


@asynccontextmanager
async def serving(
    app: web.Application, host: str, port: int, name: str = "HTTP"
) -> AsyncIterator[int]:
    """Serve an application on one TCP port until the end; yields the port.

    SettingsError if nobody can listen there; `name` is that of the two variables that say where.
    """
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=3.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as error:
            code = error.errno or 0  # of a name that isn't known: below 0
            why = os.strerror(code) if code > 0 else error.strerror
            raise SettingsError(
                f"{PREFIX}{name}_HOST, {PREFIX}{name}_PORT: can't listen at {host}:{port} ({why})."
            ) from None
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
