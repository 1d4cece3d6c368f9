"""A service as a process of its own: its environment, its start and end, what it publishes."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from services.events.base import Event
from services.events.codec import decode
from services.events.topics import TOPIC_OF
from services.runtime.stream import Stream
from tests.database import Database

E = TypeVar("E", bound=Event)

PATIENCE_SECONDS = 120.0
PEPPER = b"p" * 32


def variables(service: str, database: Database, **more: str) -> dict[str, str]:
    """All a service needs, on free ports and the PostgreSQL stream, with `more` or instead."""
    return {
        "PATH": os.environ["PATH"],
        "DUNWELL_DATABASE_URL": database.dsn(service),
        "DUNWELL_STREAM": "postgres",
        "DUNWELL_HTTP_PORT": "0",
        "DUNWELL_ADMIN_PORT": "0",
        "DUNWELL_IDENTITY_KEY": "i" * 32,
        "DUNWELL_API_KEY_PEPPER": PEPPER.decode(),
        **more,
    }


@contextmanager
def running(
    service: str, environment: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """The service, its output in `log`; killed at the end if it still runs."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", f"services.{service}"],
            env=environment,
            stderr=file,
            stdout=file,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def refused(service: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A start that is to fail: its exit code and what it said."""
    return subprocess.run(
        [sys.executable, "-m", f"services.{service}"],
        env=environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip


async def ports(log: Path) -> dict[str, int]:
    """The ports of `doors` and `admin` that the log tells, once it does."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = [msgspec.json.decode(line) for line in log.read_bytes().splitlines()]
        found = {str(line["name"]): int(line["port"]) for line in lines if "port" in line}
        if len(found) == 2:
            return found
        assert time.monotonic() < end, lines
        await asyncio.sleep(0.05)


async def is_ready(log: Path) -> bool:
    """What /readyz says."""
    port = (await ports(log))["admin"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/readyz") as answer,
    ):
        return bool((await answer.json())["ready"])


async def read_until(stream: Stream, kind: type[E], many: int) -> list[E]:
    """The events of a kind in its topic, once there are so many."""
    end = time.monotonic() + PATIENCE_SECONDS
    topic = TOPIC_OF[kind]
    while True:
        every = [
            decode(
                topic=topic,
                partition=polled.partition.number,
                offset=message.offset,
                headers=message.headers,
                value=message.value,
            ).event
            async for polled in stream.scan([topic])
            for message in polled.records
        ]
        found = [event for event in every if isinstance(event, kind)]
        if len(found) >= many:
            return found
        assert time.monotonic() < end, f"{len(found)} of {many} came"
        await asyncio.sleep(0.05)
