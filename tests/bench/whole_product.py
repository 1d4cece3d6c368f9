"""The three services end to end: reminders that fall due at one instant, until the last is sent.

Three processes of their own on Apache Kafka and PostgreSQL (fsync on), every duty done: plans,
decisions with their record, permits under locks, attempts logged before they leave, receipts.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from services.runtime import clock
from services.runtime.child_process import free_ports
from services.runtime.database import Connection
from services.trial import stepping
from services.trial.processes import Processes, running
from services.trial.world import World
from tests.bench import cpu

BEGIN = datetime(2026, 5, 12, 13, tzinfo=UTC)
DUE = datetime(2026, 5, 12, 14, tzinfo=UTC)  # a Tuesday, 10:00 in New York
BULK = 500
NUMBERS = 70_000  # 555-01xx of 700 area codes, the only ones kept for fiction
PATIENCE_SECONDS = 120.0

_CADENCE = """\
cadence: bench
valid_for_days: 1
steps:
  - {days_from_due: %d, at: "10:00", stage: due, channels: [sms], priority: 40}
"""


class Bench:
    """A running installation whose SMS provider costs almost nothing.

    `servers` are the process ids of what it stands on; `cost` is the CPU time, in seconds, that
    each process took for a reminder of the last round.
    """

    def __init__(
        self,
        world: World,
        processes: Processes,
        owner: Connection,
        http: aiohttp.ClientSession,
        servers: Mapping[str, int],
    ) -> None:
        self.world, self.processes, self.owner, self.http = world, processes, owner, http
        ours = {name: processes.pid(name) for name in ("scheduler", "policy", "notifier")}
        self._processes = {**ours, **servers}
        self.cost: dict[str, float] = {}
        self.provider = world.extra["TWILIO_API_URL"]
        self._loads = 0
        self._numbers = 0

    async def round(self, count: int) -> float:
        """Reminders a second: from the instant they fall due to the last request answered."""
        await self._load(count)
        before = await self._sent()
        spent = cpu.seconds(self._processes)
        began = time.perf_counter()
        await clock.step_to(self.owner, self._due_at())
        while (done := await self._sent() - before) < count:
            if time.perf_counter() - began > PATIENCE_SECONDS:
                raise TimeoutError(f"{done} of {count} after {PATIENCE_SECONDS:.0f} s")
            await asyncio.sleep(0.02)
        rate = count / (time.perf_counter() - began)
        await self._settled()  # receipts are part of it
        after = cpu.seconds(self._processes)
        self.cost = {name: (after[name] - spent[name]) / count for name in spent}
        return rate

    async def policy_alone(self, count: int) -> float:
        """Reminders a second through policy: from the stream to decided, recorded and told.

        All are on the stream before it begins, and meanwhile the other services stand still.
        """
        await self._load(count)
        others = ("scheduler", "notifier")
        decided = await self.owner.fetchval("SELECT count(*) FROM policy.decisions")
        self.processes.send("policy", signal.SIGSTOP)
        await clock.step_to(self.owner, self._due_at())
        await self._until(
            "SELECT NOT EXISTS (SELECT FROM scheduler.outbox) AND NOT EXISTS ("
            "SELECT FROM scheduler.reminders WHERE status = 'planned' AND due_at <= $1)",
            self._due_at(),
        )
        for name in others:
            self.processes.send(name, signal.SIGSTOP)
        began = time.perf_counter()
        self.processes.send("policy", signal.SIGCONT)
        await self._until(
            "SELECT (SELECT count(*) FROM policy.decisions) >= $1"
            " AND NOT EXISTS (SELECT FROM policy.outbox)",
            decided + count,
        )
        rate = count / (time.perf_counter() - began)
        for name in others:
            self.processes.send(name, signal.SIGCONT)
        await self._settled()
        return rate

    @property
    def policy_database(self) -> str:
        """Where policy keeps what it decided."""
        return self.world.environment("policy")["DUNWELL_DATABASE_URL"]

    @property
    def now(self) -> datetime:
        """Business time after the last round, a day on."""
        return self._due_at() + timedelta(days=1)

    def _due_at(self) -> datetime:
        """Each load falls due a day after the one before; no house sends on a Sunday."""
        before = self._loads - 1
        return DUE + timedelta(days=before + (before + 1) // 6)

    async def _load(self, count: int) -> None:
        self._loads += 1
        due = self._due_at().date()
        rows = [self._loan(index, due.isoformat()) for index in range(count)]
        gate = asyncio.Semaphore(16)
        async with asyncio.TaskGroup() as tasks:
            for index in range(count):
                tasks.create_task(self._address(index, gate))
        for start in range(0, count, BULK):
            body = {"loans": rows[start : start + BULK]}
            await self._call("POST", self.world.url("scheduler") + "/v1/loans:bulk", body)
        await self._settled()

    def _loan(self, index: int, due: str) -> Mapping[str, Any]:
        ref = f"R{self._loads}-{index}"
        return {
            "loan_id": f"L-{ref}",
            "borrower_ref": ref,
            "version": 1,
            "product": "personal_loan",
            "currency": "USD",
            "cadence": "bench",
            "borrower": {
                "borrower_ref": ref,
                "version": 1,
                "country": "US",
                "subdivision": "NY",
                "zones": [{"zone": "America/New_York", "basis": "confirmed"}],
            },
            "installments": [{"installment_number": 1, "due_date": due, "amount_minor": 12_300}],
        }

    async def _address(self, index: int, gate: asyncio.Semaphore) -> None:
        ref = f"R{self._loads}-{index}"
        self._numbers += 1  # nobody shares a number: a shared one counts for all who have it
        number = f"+1{200 + self._numbers // 100 % 700}55501{self._numbers % 100:02d}"
        body = {"version": 1, "contact_points": [{"kind": "mobile", "value": number}]}
        async with gate:
            url = f"{self.world.url('notifier')}/v1/borrowers/{ref}/contact-points"
            await self._call("PUT", url, body)

    async def _call(self, method: str, url: str, body: object) -> None:
        headers = {"Authorization": f"Bearer {self.world.tenant_key}"}
        async with self.http.request(method, url, json=body, headers=headers) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"{url}: {answer.status} {(await answer.text())[:300]}")

    async def _sent(self) -> int:
        async with self.http.get(f"{self.provider}/count") as answer:
            return int(await answer.text())

    async def _until(self, query: str, *arguments: object) -> None:
        deadline = time.perf_counter() + PATIENCE_SECONDS
        while not await self.owner.fetchval(query, *arguments):
            if time.perf_counter() > deadline:
                raise TimeoutError(f"not within {PATIENCE_SECONDS:.0f} s: {query}")
            await asyncio.sleep(0.02)

    async def _settled(self) -> None:
        """Wait until what was loaded or sent has reached every service."""
        quiet = 0
        while quiet < 5:
            open_work = await self.owner.fetchval(
                "SELECT (SELECT count(*) FROM scheduler.outbox)"
                " + (SELECT count(*) FROM policy.outbox) + (SELECT count(*) FROM notifier.outbox)"
                " + (SELECT count(*) FROM scheduler.reminders WHERE status = 'due')"
            )
            quiet = quiet + 1 if open_work == 0 else 0
            await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def started(
    folder: Path, admin_url: str, bootstrap_servers: str, servers: Mapping[str, int]
) -> AsyncIterator[Bench]:
    """The installation, ready; `house`, `us-fed` and `us-ny` are in force."""
    (provider_port,) = free_ports(1)
    cadences = folder / "cadences"
    cadences.mkdir()
    (cadences / "bench.yaml").write_text(_CADENCE % 0)
    world = World(
        folder=folder,
        admin_url=admin_url,
        stream="kafka",
        kafka_bootstrap_servers=bootstrap_servers,
        extra={
            "TWILIO_API_URL": f"http://127.0.0.1:{provider_port}",
            "CADENCES_DIR": str(cadences),
            "SMS_PER_SECOND": "100000",  # the services are measured, not a provider's limit
        }
        | _from_environment(),
    )
    await world.prepare()
    owner = await stepping.connect(admin_url, BEGIN)
    try:
        async with (
            running(world) as processes,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http,
        ):
            processes.start("provider", ["tests.bench.provider", str(provider_port)])
            await processes.ready("provider", f"http://127.0.0.1:{provider_port}/count")
            bench = Bench(world, processes, owner, http, servers)
            for pack in ("house", "us-fed", "us-ny"):
                body = {"pack": pack, "by": "officer", "approved_by": "another"}
                await bench._call("POST", world.url("policy") + "/v1/activations", body)
            yield bench
    finally:
        await owner.close()


def _from_environment() -> dict[str, str]:
    """BENCH_<NAME>=value sets DUNWELL_<NAME> for the services: to try a setting."""
    prefix = "BENCH_SET_"
    return {k.removeprefix(prefix): v for k, v in os.environ.items() if k.startswith(prefix)}
