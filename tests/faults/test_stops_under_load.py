"""Payments and STOPs arrive while reminders leave: after the 2xx no new send starts."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.trial.world import SMS_FROM
from tests.database import PASSWORDS, Database
from tests.faults.siege import BEGIN, Siege, besieged

COUNT = 120
IN_FLIGHT = timedelta(seconds=10)


async def pay(siege: Siege, index: int) -> datetime:
    """Pay a loan at the scheduler's door; when it was answered 2xx."""
    body = {
        "payment_id": f"P-{index}",
        "loan_id": f"L-S1-{index}",
        "borrower_ref": f"S1-{index}",
        "installment_number": 1,
        "amount_minor": 9_900,
        "currency": "USD",
        "received_at": BEGIN.isoformat().replace("+00:00", "Z"),
    }
    status, said = await siege.call("POST", "scheduler", "/v1/payments", body)
    assert status < 300, said
    return datetime.now(UTC)


async def reply_stop(siege: Siege, index: int) -> datetime:
    """Reply STOP from a borrower's phone; when the notifier had answered the provider 2xx."""
    body = {"from": siege.number(index), "to": SMS_FROM, "body": "STOP"}
    url = siege.world.url("sandbox") + "/sandbox/inbound"
    async with siege.session.post(url, json=body) as answer:
        said = await answer.json()
        assert answer.status == 200, said
        assert said["http_status"] in range(200, 300), said
    return datetime.now(UTC)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_after_the_2xx_of_a_payment_or_a_stop_no_new_send_starts(
    database: Database, empty_kafka: str, tmp_path: Path
) -> None:
    chance = random.Random(5)
    async with besieged(
        tmp_path, database.admin_dsn, empty_kafka, passwords=PASSWORDS, lies="slow=0.05,429=0.1"
    ) as siege:
        await siege.load(COUNT)
        answered: dict[int, tuple[str, datetime]] = {}

        async def act(index: int) -> None:
            await asyncio.sleep(chance.uniform(0.0, 4.0))
            kind = "paid" if index % 2 else "stop"
            at = await (pay if index % 2 else reply_stop)(siege, index)
            answered[index] = (kind, at)

        deeds = [asyncio.create_task(act(index)) for index in range(0, COUNT, 2)]
        deeds += [asyncio.create_task(act(index)) for index in range(1, COUNT, 4)]
        await asyncio.sleep(0.3)
        await siege.fall_due()
        await asyncio.gather(*deeds)
        await siege.healed()
        withdrawn = await siege.owner.fetchval(
            "SELECT count(*) FROM scheduler.reminders WHERE emission = 0 AND reason = 'paid'"
        )
        await siege.judge(withdrawn)
        await no_send_started_after(siege, answered)


async def no_send_started_after(siege: Siege, answered: dict[int, tuple[str, datetime]]) -> None:
    """A send starts with its permit.  None is given after the 2xx for what was paid or stopped, and
    one that was given before reaches the provider within ten seconds."""
    rows = await siege.owner.fetch(
        "SELECT r.loan_id, a.channel, a.attempt_id::text AS attempt, p.issued_at"
        " FROM notifier.attempts a"
        " JOIN policy.permits p ON p.attempt_id = a.attempt_id AND p.tenant = a.tenant"
        " JOIN scheduler.reminders r ON r.reminder_id = a.reminder_id AND r.tenant = a.tenant"
    )
    received = {
        line["attempt_id"]: datetime.fromisoformat(line["t_recv"]) for line in await siege.history()
    }
    late = []
    for index, (kind, at) in answered.items():
        channels = ("push", "sms", "email") if kind == "paid" else ("sms",)
        for row in rows:
            if row["loan_id"] != f"L-S1-{index}" or row["channel"] not in channels:
                continue
            arrived = received.get(row["attempt"], at)
            if row["issued_at"] > at or arrived > at + IN_FLIGHT:
                late.append((kind, index, row["channel"], row["issued_at"] - at, arrived - at))
    assert late == []
    assert len(answered) > COUNT // 2
