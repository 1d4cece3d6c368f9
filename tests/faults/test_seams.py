"""What lies between two services: requests that come late, answers that find their asker frozen."""

import asyncio
import random
import signal
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from services.runtime.child_process import free_ports
from tests.database import PASSWORDS, Database
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.siege import BEGIN, Siege, besieged
from tests.faults.test_stops_under_load import no_send_started_after, pay

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FROZEN_SECONDS = 12.0  # beyond any permit


async def opt_out(siege: Siege, index: int, *channels: str) -> datetime:
    """A borrower's opt-out at policy's door, of some channels or of all; when it was answered."""
    body = {
        "tenant": siege.world.tenant,
        "stop_id": str(UUID(int=index + 1)),
        "borrower_ref": f"S1-{index}",
        "kind": "opt_out",
        "received_at": BEGIN.isoformat().replace("+00:00", "Z"),
        "form": "electronic",
        "source": "borrower",
    }
    body |= {"channels": list(channels)} if channels else {}
    status, said = await siege.call("POST", "policy", "/v1/stops", body)
    assert status < 300, said
    return datetime.now(UTC)


async def hold_back(siege: Siege, proxy: Proxy, port: int) -> None:
    """The notifier alone asks by way of the proxy, which holds back what has just begun."""
    await siege.restart("notifier", DUNWELL_POLICY_URL=f"http://127.0.0.1:{port}")
    await siege.fall_due()
    await asyncio.wait_for(proxy.held.wait(), 30)


async def test_a_redeem_that_comes_after_its_attempt_has_left_changes_nothing(
    database: Database, empty_kafka: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    async with (
        besieged(
            tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS, lies="timeout=1"
        ) as siege,
        proxy_to(siege.world.ports["policy.http"], port) as proxy,
    ):
        await siege.load(20)
        proxy.late = "requests"
        await hold_back(siege, proxy, port)
        await asyncio.sleep(0.5)
        proxy.late = ""
        # The notifier has given up waiting, asked once more, and been permitted.
        await siege.until("SELECT count(*) = 20 FROM notifier.attempts WHERE state = 'in_flight'")
        # What policy gets now it would refuse: give the place back, and put the reminder off.
        for index in range(20):
            await opt_out(siege, index, "push", "sms")
        proxy.released.set()
        await siege.until("SELECT count(*) >= 15 FROM policy.decisions WHERE code = 'superseded'")
        await siege.healed(60)
        assert await siege.owner.fetchval("SELECT max(emission) = 1 FROM scheduler.reminders")
        assert await siege.owner.fetchval(
            "SELECT bool_and(outcome <> 'cancelled') FROM policy.contacts"
        )
        await siege.judge()


async def test_what_was_permitted_to_a_frozen_notifier_never_leaves_after_a_payment_or_a_stop(
    database: Database, empty_kafka: str, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    async with (
        besieged(tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS, lies="") as siege,
        proxy_to(siege.world.ports["policy.http"], port) as proxy,
    ):
        await siege.load(70)
        proxy.late = "answers"
        await hold_back(siege, proxy, port)
        permits = await siege.until("SELECT count(*) FROM policy.permits")
        siege.processes.send("notifier", signal.SIGSTOP)
        proxy.late = ""
        proxy.released.set()
        answered = {
            index: ("paid", await (pay if index % 2 else opt_out)(siege, index))
            for index in range(70)
        }
        await asyncio.sleep(FROZEN_SECONDS)
        siege.processes.send("notifier", signal.SIGCONT)
        await siege.healed()
        await siege.judge()
        await no_send_started_after(siege, answered)
        assert permits > 0
        assert await siege.history() == []


async def test_policy_and_notifier_may_die_together_and_no_borrower_gets_two_a_day(
    database: Database, empty_kafka: str, tmp_path: Path
) -> None:
    chance = random.Random(3)
    async with besieged(tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS) as siege:
        await siege.load(30, loans=2)
        await siege.fall_due()
        for names in (["policy", "notifier"], ["scheduler", "policy", "notifier"]):
            await asyncio.sleep(chance.uniform(0.3, 0.9))
            for name in names:
                siege.processes.send(name, signal.SIGKILL)
            await asyncio.gather(*(siege.restart(name) for name in names))
        await siege.fall_due_later()
        await siege.healed()
        await siege.judge()
