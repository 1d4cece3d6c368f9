"""A sandbox in this process, quick to answer, and what its history says."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.sandbox.app import Running, sandbox
from services.sandbox.settings import Settings

ATTEMPT = "0198c5a0-1111-7000-8000-00000000000a"
REMINDER = "0198c5a0-2222-5000-8000-00000000000b"


class Outside:
    """A running sandbox and its history file."""

    def __init__(self, running: Running, path: Path) -> None:
        self.running = running
        self.world = running.world
        self.url = running.http_url
        self.path = path

    def events(self, kind: str) -> list[dict[str, Any]]:
        self.world.history.flush()
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        return [line for line in lines if line["event"] == kind]

    def request(self) -> dict[str, Any]:
        (only,) = self.events("request")
        return only


Outsides = Callable[..., Any]


@pytest.fixture
def outside(tmp_path: Path) -> Outsides:
    """`async with outside(lies=…) as world:`; delays are short unless asked for."""

    @asynccontextmanager
    async def start(**wanted: Any) -> AsyncIterator[Outside]:
        path = tmp_path / "history.jsonl"
        quick = {"callback_delay_seconds": 0.01, "hold_seconds": 0.3, "slow_seconds": 0.3}
        settings = Settings(history=path, **(quick | wanted))
        async with sandbox(settings) as running:
            yield Outside(running, path)

    return start
