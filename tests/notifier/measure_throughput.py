"""How many reminders a second one notifier process sends, and what each costs in CPU time.

`python -m tests.notifier.measure_throughput [COUNT]`: policy and Twilio are doubles in this
process, PostgreSQL is the embedded one, the notifier a process of its own.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import migrate_all
from tests.database import PASSWORDS, Database
from tests.notifier.world import World, allowed, open_world

BORROWERS = 200
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


async def measure(world: World, count: int) -> None:
    await world.start()
    borrowers = [
        await world.addresses(f"ref-{n}", mobile=f"+1202555{n:04d}") for n in range(BORROWERS)
    ]
    await world.stop()
    for start in range(0, count, 1000):
        await world.publish(
            *(allowed(borrowers[n % BORROWERS]) for n in range(start, start + 1000))
        )
    environment = {**os.environ, **world.settings, "DUNWELL_SMS_PER_SECOND": "100000"}
    command = [sys.executable]
    if os.environ.get("PROFILE"):
        command += ["-m", "cProfile", "-o", os.environ["PROFILE"]]
    process = subprocess.Popen([*command, "-m", "services.notifier"], env=environment)
    accepted = "SELECT count(*) FROM notifier.attempts WHERE state = 'accepted'"
    began, first = time.monotonic(), 0.0
    used = 0.0
    while (done := await world.owner.fetchval(accepted)) < count:
        if done and not first:
            first, used = time.monotonic(), cpu_seconds(process.pid)
            skipped = done
        await asyncio.sleep(0.1)
    ended = time.monotonic()
    spent = cpu_seconds(process.pid) - used
    sent = count - skipped
    print(f"{sent / (ended - first):,.0f} reminders/s; {first - began:.1f} s to start")
    print(
        f"{spent / sent * 1e6:.0f} us CPU of the notifier a reminder = {sent / spent:,.0f}/s a core"
    )
    process.terminate()
    print("exit code", process.wait(15))


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedPostgres(durable=False) as server:
            await migrate_all(server.dsn, PASSWORDS)
            async with open_world(Database(server, "postgres"), Path(folder)) as world:
                await measure(world, count)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
