"""The scheduler as a process of its own: events in, reminders out, stopped by a signal."""

import asyncio
import signal
import time
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg

from services.events.base import Event
from services.events.codec import Record, encode
from services.events.deliveries import DeliveryReceipt
from services.events.loans import DebtChanged
from services.events.reminders import ReminderDeferred, ReminderDue
from services.events.words import AttemptState, Channel, Outcome
from services.runtime.streams import open_stream
from tests.database import Database
from tests.runtime.streams import stream_settings
from tests.scheduler.builders import (
    NOW,
    borrower,
    installment,
    loan,
    stand_at,
)
from tests.scheduler.emitted import FIRST_HOUR
from tests.service_process import (
    PATIENCE_SECONDS,
    is_ready,
    read_until,
    refused,
    running,
    variables,
)


def environment(database: Database, **more: str) -> dict[str, str]:
    return variables(
        "scheduler",
        database,
        DUNWELL_SERVICE_KEY="dw_000000000000_" + "s" * 43,
        DUNWELL_POLICY_URL="http://127.0.0.1:1",
        **more,
    )


def a_record(event: Event) -> Record:
    return encode(event, source="/lender", key=b"acme/any", event_id=uuid4(), time=NOW)


async def test_loan_events_go_in_and_reminders_come_out_and_settle(
    database: Database, tmp_path: Path
) -> None:
    await stand_at(database, NOW)
    settings = stream_settings("postgres", database.dsn("scheduler"), "127.0.0.1:1")
    async with open_stream(settings) as stream:
        producer = await stream.producer()
        with running("scheduler", environment(database), tmp_path / "log") as process:
            # The installment first: it waits for its loan.
            await producer.publish([a_record(e) for e in (installment(), loan(), borrower())])
            [debt] = await read_until(stream, DebtChanged, 1)
            assert debt.outstanding_minor == 10_000
            await stand_at(database, FIRST_HOUR)
            [due] = await read_until(stream, ReminderDue, 1)
            until = FIRST_HOUR + timedelta(hours=3)
            deferred = ReminderDeferred(
                tenant=due.tenant,
                reminder_id=due.reminder_id,
                emission=1,
                decision_id=uuid4(),
                borrower_id=due.borrower_id,
                until=until,
                code="outside_contact_window",
                rule=None,
                decided_at=FIRST_HOUR,
            )
            await producer.publish([a_record(deferred)])
            await until_row(database, "planned", 1, due)
            await stand_at(database, until)
            again = (await read_until(stream, ReminderDue, 2))[1]
            assert again.emission == 2
            receipt = DeliveryReceipt(
                tenant=due.tenant,
                attempt_id=uuid4(),
                reminder_id=due.reminder_id,
                emission=2,
                borrower_id=due.borrower_id,
                contact_point_id="cp_1",
                channel=Channel.SMS,
                provider="twilio",
                state=AttemptState.ACCEPTED,
                at=until,
                outcome=Outcome.SENT,
            )
            await producer.publish([a_record(receipt)])
            await until_row(database, "sent", 2, due)
            assert await is_ready(tmp_path / "log")
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 10) == 0
        await producer.close()


async def until_row(database: Database, status: str, emission: int, due: ReminderDue) -> None:
    connection = await asyncpg.connect(database.admin_dsn)
    try:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            row = await connection.fetchrow(
                "SELECT status, emission FROM scheduler.reminders WHERE reminder_id = $1",
                due.reminder_id,
            )
            if row is not None and tuple(row) == (status, emission):
                return
            assert time.monotonic() < end, row
            await asyncio.sleep(0.05)
    finally:
        await connection.close()


def test_a_wrong_setting_stops_the_start_with_a_sentence(database: Database) -> None:
    wrong = environment(database) | {"DUNWELL_POLICY_URL": "policy:8020"}
    del wrong["DUNWELL_SERVICE_KEY"]
    done = refused("scheduler", wrong)
    assert done.returncode == 2
    assert "DUNWELL_POLICY_URL: must begin with http" in done.stderr
    assert "DUNWELL_SERVICE_KEY: is required" in done.stderr


def test_a_wrong_cadence_stops_the_start_with_its_line(database: Database, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("cadence: mine\nvalid_for_days: 0\nsteps: []\n")
    done = refused("scheduler", environment(database, DUNWELL_CADENCES_DIR=str(tmp_path)))
    assert done.returncode == 2
    assert "mine.yaml:2: valid_for_days is not in range" in done.stderr
