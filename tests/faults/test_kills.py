"""SIGKILL at every named point and at random, SIGSTOP beyond the lease: nothing twice or lost."""

import asyncio
import random
import signal
from pathlib import Path

import pytest

from tests.database import PASSWORDS, Database
from tests.faults.siege import Siege, besieged

# Where a service dies, and at which visit: the second where the first comes before any reminder.
POINTS = {
    "scheduler": [
        "scheduler.claimed:1",
        "scheduler.before_emit_commit:1",
        "outbox.before_publish:1",
        "outbox.after_publish:1",
        "consume.before_commit:1",
        "consume.after_commit:1",
    ],
    "policy": [
        "consume.polled:1",
        "policy.decided:1",
        "consume.before_commit:1",
        "consume.after_commit:1",
        "outbox.before_publish:1",
        "outbox.after_publish:1",
        "policy.redeem_committed:1",
    ],
    "notifier": [
        "consume.before_commit:1",
        "consume.after_commit:1",
        "notifier.intent_committed:1",
        "notifier.redeemed:1",
        "notifier.in_flight_committed:1",
        "notifier.answered:3",
        "notifier.before_completion:1",
        "outbox.before_publish:2",
    ],
}
BATCH = 25
DEATH_SECONDS = 60.0


async def die_at(siege: Siege, service: str, point: str) -> None:
    """Start the service so that it kills itself at the point, feed it, and start it afresh.

    What the batch before left behind may kill it before it is ready; that is a death as good.
    """
    await siege.load(BATCH)
    await siege.processes.stop(service, signal.SIGKILL)
    siege.processes.start_service(service, DUNWELL_CRASH_AT=point, DUNWELL_TESTING="1")
    await siege.fall_due()
    code = await siege.processes.wait_ended(service, DEATH_SECONDS)
    assert code == -signal.SIGKILL, f"{service} never reached {point}\n{await siege.books()}"
    await siege.restart(service)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("service", POINTS)
async def test_a_service_may_be_killed_at_any_point(
    database: Database, empty_kafka: str, tmp_path: Path, service: str
) -> None:
    async with besieged(tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS) as siege:
        for point in POINTS[service]:
            await die_at(siege, service, point)
        await siege.healed()
        await siege.judge()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1])
async def test_services_may_be_killed_and_paused_at_random_under_load(
    database: Database, empty_kafka: str, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    async with besieged(tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS) as siege:
        for _ in range(4):
            await siege.load(60)
            await siege.fall_due()
            for _ in range(3):
                await asyncio.sleep(chance.uniform(0.1, 1.2))
                name = chance.choice(["scheduler", "policy", "notifier", "notifier"])
                if chance.random() < 0.5:
                    await siege.restart(name)
                else:
                    siege.processes.send(name, signal.SIGSTOP)
                    await asyncio.sleep(chance.uniform(0.3, 4.0))
                    siege.processes.send(name, signal.SIGCONT)
        await siege.healed()
        await siege.judge()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_notifier_paused_beyond_its_lease_sends_nothing_twice(
    database: Database, empty_kafka: str, tmp_path: Path
) -> None:
    async with besieged(
        tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS, lies="slow=0.3"
    ) as siege:
        await siege.load(60)
        await siege.fall_due()
        await siege.until("SELECT count(*) > 5 FROM notifier.attempts WHERE state <> 'intent'")
        siege.processes.send("notifier", signal.SIGSTOP)
        # A second instance judges what the paused one has in flight.
        siege.processes.start_service(
            "notifier", "-2", DUNWELL_HTTP_PORT="0", DUNWELL_ADMIN_PORT="0"
        )
        await asyncio.sleep(16)
        siege.processes.send("notifier", signal.SIGCONT)
        await siege.healed()
        await siege.judge()
