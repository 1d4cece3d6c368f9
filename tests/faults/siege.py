"""An installation under siege: batches of reminders, lies, kills and pauses, then a judgement."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp

from services.runtime import clock
from services.trial import stepping
from services.trial.processes import running
from services.trial.world import World
from tests.e2e.thread import Thread
from tests.faults import checker

# A Monday, 09:00 in New York.  Each batch falls due on a day of its own, Mondays to Saturdays.
BEGIN = datetime(2026, 5, 4, 13, tzinfo=UTC)
DUE_HOUR = timedelta(hours=1)  # 10:00 in New York

# Some of everything that a provider does wrong; every accepted one must be the only one.
LIES = (
    "429=0.04,503=0.03,accept-timeout=0.03,accept-503=0.03,"
    "garbage=0.02,reset=0.02,accept-reset=0.02,slow=0.02"
)
IMPATIENT = {"ABANDON_SECONDS": "4", "LOOK_UP_SECONDS": "1", "RETRY_SECONDS": "0.5"}

_CADENCE = """\
cadence: siege
valid_for_days: 30
steps:
  - {days_from_due: 0, at: "10:00", stage: due, channels: [push, sms, email], priority: 40}
"""


class Siege(Thread):
    """What a fault test does beside what any test does."""

    batches = 0
    loaded = 0

    def number(self, index: int) -> str:
        """The number of the borrower who was loaded as the `index`-th of all."""
        return f"+1{200 + index}55501{index % 100:02d}"

    async def load(self, count: int, loans: int = 1) -> None:
        """Borrowers with a number, an address and some a device; due on the next batch's day.

        With several `loans` each, all fall due together.
        """
        self.batches += 1
        day = BEGIN + timedelta(days=self.batches - 1 + (self.batches - 1) // 6)
        refs = [f"S{self.batches}-{index}" for index in range(count)]
        gate = asyncio.Semaphore(8)

        async def address(index: int, ref: str) -> None:
            points = {
                "mobile": self.number(self.loaded + index),
                "email": f"{ref.lower()}@example.com",
            }
            if index % 3 == 0:
                points["app"] = f"device-{ref}"
            async with gate:
                await self.addresses(ref, **points)

        await asyncio.gather(*(address(index, ref) for index, ref in enumerate(refs)))
        due = day.date().isoformat()
        rows = [_loan(ref, due, number) for ref in refs for number in range(loans)]
        status, said = await self.call("POST", "scheduler", "/v1/loans:bulk", {"loans": rows})
        assert status < 300, said
        self.loaded += len(rows)
        await self.until(
            "SELECT count(*) >= $1 FROM scheduler.reminders",
            self.loaded,
        )
        await self.until("SELECT count(*) >= $1 FROM policy.debts", self.loaded)

    async def fall_due(self) -> None:
        """Step to the instant at which the batch that was loaded last falls due."""
        day = BEGIN + timedelta(days=self.batches - 1 + (self.batches - 1) // 6)
        await clock.step_to(self.owner, day + DUE_HOUR)

    async def fall_due_later(self) -> None:
        """Step from one deferral's instant to the next, until none is left."""
        open_now = (
            "SELECT count(*) = 0 FROM scheduler.reminders WHERE status = 'due'"
            " OR (status = 'planned' AND due_at <= policy.gate_now())"
        )
        next_due = "SELECT min(due_at) FROM scheduler.reminders WHERE status = 'planned'"
        await self.until(open_now)
        while at := await self.owner.fetchval(next_due):
            await self.step_to(at)
            await self.until(open_now)

    async def restart(self, name: str, **variables: str) -> None:
        """Start a service again (it was killed, or it is killed now) and wait until it is ready."""
        await self.processes.stop(name, signal.SIGKILL)
        self.processes.start_service(name, **variables)
        await self.processes.ready(name, self.world.admin_door(name) + "/readyz")

    async def healed(self, seconds: float = 240.0) -> None:
        """Wait until every reminder that fell due has ended."""
        deadline = time.monotonic() + seconds
        while await self.owner.fetchval(
            "SELECT count(*) FROM scheduler.reminders WHERE (emission > 0 OR due_at <="
            " policy.gate_now()) AND status IN ('planned', 'due')"
        ):
            assert not self.processes.ended(), self.processes.ended()
            if time.monotonic() > deadline:
                words = {n: self.processes.last_words(n)[-600:] for n in ("policy", "notifier")}
                raise AssertionError(
                    f"not healed after {seconds:.0f} s:\n{await self.books()}\n{words}"
                )
            await asyncio.sleep(0.2)

    async def judge(self, withdrawn: int = 0) -> None:
        """No breach, by the checker that shares no code, and the scheduler's own balance.

        `withdrawn`: loaded, but paid before their hour came.
        """
        expected = self.loaded - withdrawn
        breaches = await checker.check(self.world.history, self.world.admin_url, expected)
        assert breaches == [], "\n".join([*breaches[:20], await self.books()])
        status, ledger = await self.call("GET", "scheduler", "/v1/ledger")
        assert status == 200
        assert ledger["balanced"], ledger


def _loan(ref: str, due: str, number: int) -> Mapping[str, object]:
    return {
        "loan_id": f"L-{ref}" + (f"-{number}" if number else ""),
        "borrower_ref": ref,
        "version": 1,
        "product": "personal_loan",
        "currency": "USD",
        "cadence": "siege",
        "borrower": {
            "borrower_ref": ref,
            "version": 1,
            "country": "US",
            "subdivision": "NY",
            "zones": [{"zone": "America/New_York", "basis": "confirmed"}],
        },
        "installments": [{"installment_number": 1, "due_date": due, "amount_minor": 9_900}],
    }


@contextlib.asynccontextmanager
async def besieged(
    folder: Path,
    admin_url: str,
    servers: str,
    *,
    passwords: Mapping[str, str],
    lies: str = LIES,
    **extra: str,
) -> AsyncIterator[Siege]:
    """An installation on Kafka (or, without `servers`, the PostgreSQL stream) and its liars."""
    cadences = folder / "cadences"
    cadences.mkdir()
    (cadences / "siege.yaml").write_text(_CADENCE)
    world = World(
        folder=folder,
        admin_url=admin_url,
        stream="kafka" if servers else "postgres",
        kafka_bootstrap_servers=servers,
        passwords=passwords,
        extra={"CADENCES_DIR": str(cadences), "KAFKA_SESSION_TIMEOUT_SECONDS": "3"}
        | IMPATIENT
        | extra,
    )
    await world.prepare()
    owner = await stepping.connect(admin_url, BEGIN)
    options = ["--database-url", admin_url, "--clock", "database", "--callback-delay", "0.02"]
    options += ["--lies", lies, "--hold-seconds", "12", "--slow-seconds", "1"]
    try:
        async with (
            running(world, options) as processes,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session,
        ):
            siege = Siege(world, processes, owner, session)
            await siege.activate("house", "us-fed")
            yield siege
    finally:
        await owner.close()
