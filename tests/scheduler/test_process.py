"""The scheduler as a process of its own: events in, reminders out, stopped by a signal."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import asyncpg
import msgspec

from services.events.base import Event
from services.events.codec import Record, decode, encode
from services.events.deliveries import DeliveryReceipt
from services.events.loans import DebtChanged
from services.events.reminders import ReminderDeferred, ReminderDue
from services.events.topics import TOPIC_OF
from services.events.words import AttemptState, Channel, Outcome
from services.runtime.stream import Stream
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
from tests.scheduler.test_emit import FIRST_HOUR

PATIENCE_SECONDS = 120.0


def environment(database: Database) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DUNWELL_DATABASE_URL": database.dsn("scheduler"),
        "DUNWELL_STREAM": "postgres",
        "DUNWELL_HTTP_PORT": "0",
        "DUNWELL_ADMIN_PORT": "0",
        "DUNWELL_IDENTITY_KEY": "i" * 32,
        "DUNWELL_API_KEY_PEPPER": "p" * 32,
        "DUNWELL_SERVICE_KEY": "dw_000000000000_" + "s" * 43,
        "DUNWELL_POLICY_URL": "http://127.0.0.1:1",
    }


@contextmanager
def scheduler(variables: dict[str, str], output: Path) -> Iterator[subprocess.Popen[bytes]]:
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.scheduler"], env=variables, stderr=file, stdout=file
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def a_record(event: Event) -> Record:
    return encode(event, source="/lender", key=b"acme/any", event_id=uuid4(), time=NOW)


async def read_until(stream: Stream, kind: type[Event], many: int) -> list[Event]:
    """The events of a kind in its topic, once there are so many."""
    end = time.monotonic() + PATIENCE_SECONDS
    topic = TOPIC_OF[kind]
    while True:
        found = [
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
        found = [event for event in found if isinstance(event, kind)]
        if len(found) >= many:
            return found
        assert time.monotonic() < end, f"{len(found)} of {many} came"
        await asyncio.sleep(0.05)


async def test_loan_events_go_in_and_reminders_come_out_and_settle(
    database: Database, tmp_path: Path
) -> None:
    await stand_at(database, NOW)
    settings = stream_settings("postgres", database.dsn("scheduler"), "127.0.0.1:1")
    async with open_stream(settings) as stream:
        await stream.ensure_topics()
        producer = await stream.producer()
        with scheduler(environment(database), tmp_path / "log") as process:
            # The installment first: it waits for its loan.
            await producer.publish([a_record(e) for e in (installment(), loan(), borrower())])
            [debt] = await read_until(stream, DebtChanged, 1)
            assert isinstance(debt, DebtChanged)
            assert debt.outstanding_minor == 10_000
            await stand_at(database, FIRST_HOUR)
            [due] = await read_until(stream, ReminderDue, 1)
            assert isinstance(due, ReminderDue)
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
            began = time.monotonic()
            await stand_at(database, until)
            again = (await read_until(stream, ReminderDue, 2))[1]
            assert isinstance(again, ReminderDue)
            assert time.monotonic() - began < 5
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
            assert await ready(tmp_path / "log")
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


async def ready(output: Path) -> bool:
    """What /readyz says, at the port that the log tells."""
    lines = [msgspec.json.decode(line) for line in output.read_bytes().splitlines()]
    [port] = [line["port"] for line in lines if line.get("name") == "admin"]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/readyz") as answer,
    ):
        return bool((await answer.json())["ready"])


def test_a_wrong_setting_stops_the_start_with_a_sentence(database: Database) -> None:
    variables = environment(database) | {"DUNWELL_POLICY_URL": "policy:8020"}
    del variables["DUNWELL_SERVICE_KEY"]
    done = subprocess.run(
        [sys.executable, "-m", "services.scheduler"],
        env=variables, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "DUNWELL_POLICY_URL: must begin with http" in done.stderr
    assert "DUNWELL_SERVICE_KEY: is required" in done.stderr


def test_a_wrong_cadence_stops_the_start_with_its_line(database: Database, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("cadence: mine\nvalid_for_days: 0\nsteps: []\n")
    done = subprocess.run(
        [sys.executable, "-m", "services.scheduler"],
        env=environment(database) | {"DUNWELL_CADENCES_DIR": str(tmp_path)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "mine.yaml:2: valid_for_days is not in range" in done.stderr
