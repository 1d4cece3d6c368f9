"""The README's snippets, as typed, against a running installation: each has its effect."""

import asyncio
import json
import os
import re
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.e2e.conftest import NOW
from tests.e2e.thread import Thread

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS = dict(re.findall(r"<!-- snippet: (\w+) -->\n```\w+\n(.*?)```", README, re.DOTALL))

ON_POSTGRES = pytest.mark.parametrize("stream_kind", ["postgres"], indirect=True)
ON_KAFKA = pytest.mark.parametrize(
    "stream_kind", [pytest.param("kafka", marks=pytest.mark.kafka)], indirect=True
)


def commands(folder: Path) -> Path:
    """A folder with what the README takes for granted: `dunwell`, and curl where there is none.

    Tomorrow is that of the business clock, on which the installation runs.
    """
    folder.mkdir()
    made = {"dunwell": "-m services"}
    if shutil.which("curl") is None:
        made["curl"] = "-m tests.e2e.curl"
    for name, module in made.items():
        script = f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {module} "$@"\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "date").write_text(f"#!/bin/sh\necho {NOW.date() + timedelta(days=1)}\n")
    (folder / "date").chmod(0o755)
    return folder


async def run(thread: Thread, snippet: str) -> str:
    """Run a shell snippet in the project's folder; it must succeed.  What it printed."""
    world = thread.world
    process = await asyncio.create_subprocess_exec(
        *("sh", "-eu", "-c", SNIPPETS[snippet]),
        cwd=ROOT,
        env={
            "PATH": f"{commands(world.folder / f'bin-{snippet}')}:{os.environ['PATH']}",
            "SCHEDULER": world.url("scheduler"),
            "NOTIFIER": world.url("notifier"),
            "POLICY": world.url("policy"),
            "KEY": world.tenant_key,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


def test_every_way_in_has_its_snippet() -> None:
    assert set(SNIPPETS) == {"http", "event", "csv", "consent", "activate", "clearance"}


@pytest.mark.slow
@ON_POSTGRES
async def test_a_loan_by_http_is_planned_a_csv_is_imported_and_packs_in_force_let_its_message_out(
    thread: Thread,
) -> None:
    await run(thread, "http")
    status, planned = await thread.call("GET", "scheduler", "/v1/loans/L-1001/reminders")
    assert status == 200
    assert {reminder["status"] for reminder in planned["reminders"]} == {"planned"}
    assert [reminder["step"] for reminder in planned["reminders"]][:2] == ["T-1", "T+0"]

    await run(thread, "csv")
    loans = await thread.owner.fetch("SELECT loan_id FROM scheduler.loans ORDER BY 1")
    assert [row["loan_id"] for row in loans] == ["L-1001", "L-2001", "L-2002", "L-2003", "L-2004"]
    assert await thread.owner.fetchval("SELECT count(*) FROM notifier.contact_points") == 7

    await run(thread, "consent")
    await run(thread, "activate")
    status, listed = await thread.call("GET", "policy", "/v1/activations")
    assert status == 200
    in_force = {row["pack"] for row in listed["activations"] if row["ended_at"] is None}
    assert in_force == {"house", "us-fed", "us-tcpa", "us-ny"}

    assert json.loads(await run(thread, "clearance"))["verdict"] == "allow"
    await thread.step_to(NOW + timedelta(hours=1, minutes=1))  # past 10:00 in New York
    await thread.until("SELECT count(*) = 1 FROM notifier.attempts WHERE state = 'delivered'")
    [sent] = [line for line in await thread.history() if line["to"] == "+12025550142"]
    assert sent["channel"] == "sms"


@pytest.mark.slow
@ON_KAFKA
async def test_a_payment_by_event_cancels_what_was_planned(thread: Thread) -> None:
    await run(thread, "http")
    await thread.until("SELECT count(*) > 0 FROM scheduler.reminders WHERE loan_id = 'L-1001'")
    servers = thread.world.kafka_bootstrap_servers
    snippet = SNIPPETS["event"]
    assert snippet.count('"127.0.0.1:9092"') == 1  # where `make up` may have put it
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", snippet.replace("127.0.0.1:9092", servers))
    )
    assert await process.wait() == 0
    await thread.until(
        "SELECT bool_and(status = 'cancelled') FROM scheduler.reminders WHERE loan_id = 'L-1001'"
    )
