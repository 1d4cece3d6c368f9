"""What a test does with a running installation: act at its doors, wait, look at the record."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp

from services.runtime import clock
from services.runtime.database import Connection
from services.trial.processes import Processes
from services.trial.world import World

PATIENCE_SECONDS = 120.0


@dataclass
class Thread:
    """A running installation and the doors of a lender."""

    world: World
    processes: Processes
    owner: Connection
    session: aiohttp.ClientSession

    async def call(
        self, method: str, service: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Any]:
        """Status and JSON (or None) of a request to a service's door."""
        headers = {"Authorization": f"Bearer {key or self.world.tenant_key}"}
        async with self.session.request(
            method, self.world.url(service) + path, json=body, headers=headers
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def activate(self, *packs: str) -> None:
        """Put packs in force, with a second person's approval."""
        for pack in packs:
            status, said = await self.call(
                "POST",
                "policy",
                "/v1/activations",
                {"pack": pack, "by": "officer", "approved_by": "second officer"},
            )
            assert status < 300, said

    async def addresses(self, borrower_ref: str, version: int = 1, **points: str) -> None:
        """Give a borrower's addresses at the notifier's door: kind=value."""
        status, said = await self.call(
            "PUT",
            "notifier",
            f"/v1/borrowers/{borrower_ref}/contact-points",
            {
                "version": version,
                "contact_points": [{"kind": k, "value": v} for k, v in points.items()],
            },
        )
        assert status < 300, said

    async def history(self, event: str = "request") -> list[Mapping[str, Any]]:
        """The sandbox's record of one kind of event."""
        path = self.world.history
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in map(json.loads, lines) if line["event"] == event]

    async def until(self, query: str, *arguments: Any) -> Any:
        """Wait until a query's first value is true and return it; fail saying what it was."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (value := await self.owner.fetchval(query, *arguments)):
            if ended := self.processes.ended():
                name = next(iter(ended))
                raise AssertionError(f"{name} ended:\n{self.processes.last_words(name)}")
            if time.monotonic() > deadline:
                words = "\n".join(
                    f"--- {name}\n{self.processes.last_words(name)}"
                    for name in ("scheduler", "policy", "notifier")
                )
                books = await self.books()
                raise AssertionError(f"still {value!r}: {query}\n{books}\n{words}")
            await asyncio.sleep(0.05)
        return value

    async def books(self) -> str:
        """How things stand in the services' tables: what a failed test wants to know first."""
        queries = {
            "reminders": "SELECT status, reason, emission, count(*) FROM scheduler.reminders"
            " GROUP BY 1, 2, 3",
            "decisions": "SELECT checkpoint, verdict, code, rule, count(*) FROM policy.decisions"
            " GROUP BY 1, 2, 3, 4",
            "held": "SELECT code, count(*) FROM policy.held GROUP BY 1",
            "attempts": "SELECT channel, state, code, count(*) FROM notifier.attempts"
            " GROUP BY 1, 2, 3",
            "outboxes": "SELECT (SELECT count(*) FROM scheduler.outbox),"
            " (SELECT count(*) FROM policy.outbox), (SELECT count(*) FROM notifier.outbox)",
        }
        lines = []
        for name, query in queries.items():
            lines += [f"{name}: {tuple(row)}" for row in await self.owner.fetch(query)]
        return "\n".join(lines)

    async def step_to(self, instant: datetime) -> None:
        """Move business time."""
        await clock.step_to(self.owner, instant)
