"""Builds the world outside: one loop with the HTTP server, the SMTP server and the callbacks."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from services.sandbox.arrival import World
from services.sandbox.callbacks import callbacks
from services.sandbox.control import Control
from services.sandbox.fcm_api import fcm_routes
from services.sandbox.history import History, now
from services.sandbox.lies import Lies
from services.sandbox.messages import Messages
from services.sandbox.oauth import is_live, public_key, token_routes, write_service_account
from services.sandbox.settings import Settings
from services.sandbox.smtp import smtp_server
from services.sandbox.twilio_api import twilio_routes
from services.sandbox.witness import witness

SHUTDOWN_SECONDS = 2.0
REQUEST_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Running:
    """Where a started sandbox listens."""

    world: World
    host: str
    http_port: int
    smtp_port: int

    @property
    def http_url(self) -> str:
        return f"http://{self.host}:{self.http_port}"


@asynccontextmanager
async def sandbox(settings: Settings) -> AsyncIterator[Running]:
    """A sandbox for as long as the block lasts; ValueError when the service account is none."""
    messages = Messages(settings.keep_messages)
    with History(settings.history) as history:
        async with (
            witness(
                settings.database_url,
                sees_attempts=settings.database_url is not None,
                tells_time=settings.clock == "database",
            ) as onlooker,
            callbacks(settings, history, messages) as sender,
        ):
            world = World(
                settings=settings,
                history=history,
                lies=Lies(settings.seed, settings.lies, settings.max_lies),
                messages=messages,
                callbacks=sender,
                witness=onlooker,
            )
            async with (
                smtp_server(world, settings.host, settings.smtp_port) as smtp_port,
                _http_server(world) as http_port,
            ):
                history.write("started", t=now(), seed=settings.seed, lies=settings.lies)
                try:
                    yield Running(world, settings.host, http_port, smtp_port)
                finally:
                    world.stopping.set()
                    history.write("stopped", t=now())


async def run(settings: Settings) -> None:
    """Announces itself, then serves until SIGTERM or SIGINT."""
    async with sandbox(settings) as running:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.world.stopping.set)
        _announce(running)
        await running.world.stopping.wait()


@asynccontextmanager
async def _http_server(world: World) -> AsyncIterator[int]:
    settings = world.settings
    app = web.Application(client_max_size=REQUEST_BYTES)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS
    )
    listener = socket.create_server((settings.host, settings.http_port), backlog=1024)
    port = int(listener.getsockname()[1])
    app.add_routes(
        [
            *twilio_routes(world),
            *fcm_routes(world, is_live(settings.seed)),
            *token_routes(world, _service_account(settings, port)),
            *Control(world).routes(),
        ]
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=1024).start()
        yield port
    finally:
        world.stopping.set()
        await runner.cleanup()


def _service_account(settings: Settings, port: int) -> RSAPublicKey | None:
    """The key that must sign assertions; a missing file is written, its token_uri is our port."""
    if (path := settings.fcm_service_account) is None:
        return None
    if not path.exists():
        write_service_account(path, f"http://{settings.host}:{port}/token")
    return public_key(path)


def _announce(running: Running) -> None:
    """One JSON line on stdout; the same in --ready-file, which appears only when whole."""
    ready = {
        "event": "sandbox_ready",
        "pid": os.getpid(),
        "http_url": running.http_url,
        "http_port": running.http_port,
        "smtp_host": running.host,
        "smtp_port": running.smtp_port,
        "twilio_account_sid": running.world.settings.twilio_account_sid,
    }
    line = msgspec.json.encode(ready)
    if (path := running.world.settings.ready_file) is not None:
        whole = path.with_name(path.name + ".new")
        whole.write_bytes(line + b"\n")
        whole.replace(path)
    print(line.decode(), flush=True)
