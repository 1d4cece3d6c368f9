"""The record, the witness in the database, and the command as a process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import asyncpg
import pytest

from services.runtime.clock import install_stepped, step_to
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.sandbox.history import History
from services.sandbox.settings import ACCOUNT_SID, AUTH_TOKEN
from tests.database import Database
from tests.sandbox.conftest import ATTEMPT, Outsides


async def text(url: str, **form: str) -> int:
    """A text as the notifier sends it; the SDK isn't needed to see one arrive."""
    wanted = {"To": "+12025550123", "From": "+12025550100", "Body": "x"} | form
    login = aiohttp.encode_basic_auth(ACCOUNT_SID, AUTH_TOKEN)
    where = f"{url}/2010-04-01/Accounts/{ACCOUNT_SID}/Messages.json"
    async with (
        aiohttp.ClientSession(headers={"Authorization": login}) as http,
        http.post(where, data=wanted) as answer,
    ):
        return answer.status


async def test_lines_are_numbered_on_across_restarts(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.jsonl"
    with History(path) as first:
        assert [first.write("a"), first.write("b")] == [1, 2]
    with History(path) as second:
        assert second.write("c", at=datetime(2026, 1, 1, tzinfo=UTC)) == 3
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["n"] for line in lines] == [1, 2, 3]
        assert lines[2]["at"] == "2026-01-01T00:00:00Z"
    assert path.stat().st_mode & 0o077 == 0


async def test_the_history_is_read_in_pages(outside: Outsides) -> None:
    async with outside() as world, aiohttp.ClientSession(world.url) as http:
        for _ in range(3):
            await text(world.url)
        seen, after = [], 0
        while True:
            async with http.get(f"/sandbox/history.json?after={after}&limit=2") as answer:
                page = await answer.json()
            if not page["events"]:
                break
            seen += page["events"]
            after = page["events"][-1]["n"]
        assert [event["n"] for event in seen] == list(range(1, len(seen) + 1))
        assert sum(event["event"] == "request" for event in seen) == 3


ATTEMPT_ROW = """
INSERT INTO notifier.attempts (attempt_id, tenant, reminder_id, emission, borrower_id, priority)
VALUES ($1, 'acme', gen_random_uuid(), 1, gen_random_uuid(), 0)
"""


async def test_the_attempts_row_is_looked_at_when_its_request_arrives_and_before_the_answer(
    outside: Outsides, database: Database
) -> None:
    owner = await asyncpg.connect(database.admin_dsn)
    await owner.execute("SET session_replication_role = replica")  # the row alone will do
    await owner.execute(ATTEMPT_ROW, ATTEMPT)
    unknown = "0198c5a0-3333-7000-8000-00000000000c"
    async with outside(database_url=database.admin_dsn) as world:
        for attempt in (ATTEMPT, unknown):
            assert await text(world.url, StatusCallback=f"http://127.0.0.1:9/{attempt}#rc=0") == 201
        assert await text(world.url) == 201
        requests, replies = world.events("request"), world.events("reply")
    seen = [event["attempt_seen"]["at_arrival"] for event in requests]
    assert (seen[0]["state"], seen[0]["epoch"], seen[0]["in_flight_at"]) == ("intent", 0, None)
    assert datetime.fromisoformat(seen[0]["created_at"]) < datetime.now(UTC)
    assert seen[1] is None  # nothing on record: promise P6 is broken
    assert seen[2] == {"error": "no attempt_id in the request"}
    assert [event["attempt_seen"]["before_answer"] for event in replies] == seen
    assert {event["t_business"] for event in requests} == {None}
    await owner.close()


async def test_the_business_instant_of_an_arrival_is_the_databases(
    outside: Outsides, database: Database
) -> None:
    owner = await asyncpg.connect(database.admin_dsn)
    begin = datetime(2031, 5, 1, 12, tzinfo=UTC)
    await install_stepped(owner, begin)
    async with outside(database_url=database.admin_dsn, clock="database") as world:
        await text(world.url)
        await step_to(owner, begin + timedelta(days=1))
        await text(world.url)
        told = [datetime.fromisoformat(e["t_business"]) for e in world.events("request")]
        assert told == [begin, begin + timedelta(days=1)]
        real = datetime.fromisoformat(world.events("request")[0]["t_recv"])
        assert abs(real - datetime.now(UTC)) < timedelta(minutes=1)
    await owner.close()


async def test_a_database_without_the_tables_is_told_of_and_holds_up_nobody(
    outside: Outsides, postgres_server: EmbeddedPostgres
) -> None:
    async with outside(database_url=postgres_server.dsn) as world:
        where = f"http://127.0.0.1:9/{ATTEMPT}#rc=0"
        assert await text(world.url, StatusCallback=where) == 201
        seen = world.request()["attempt_seen"]["at_arrival"]
        assert seen["error"] in {"UndefinedTableError", "InvalidSchemaNameError"}


async def hang(url: str, history: Path) -> None:
    """Leave a second request behind that is not answered."""
    asked = asyncio.create_task(text(url, To="+15005550130"))
    while history.read_text().count('"event":"request"') < 2:
        await asyncio.sleep(0.02)
    assert not asked.done()
    asked.cancel()


def test_the_command_announces_its_ports_serves_and_ends_politely(tmp_path: Path) -> None:
    ready, history = tmp_path / "ready.json", tmp_path / "history.jsonl"
    command = [sys.executable, "-m", "services.sandbox", "--http-port", "0", "--smtp-port", "0"]
    command += ["--ready-file", str(ready), "--hold-seconds", "60"]
    environment = os.environ | {"DUNWELL_SANDBOX_HISTORY": str(history)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            told = json.loads(process.stdout.readline())
            assert told["event"] == "sandbox_ready"
            assert json.loads(ready.read_text()) == told
            assert asyncio.run(text(told["http_url"])) == 201
            asyncio.run(hang(told["http_url"], history))  # so hangs one when the end comes
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0  # it would hold the request for 60
    events = [json.loads(line)["event"] for line in history.read_text().splitlines()]
    assert events[0] == "started"
    assert events[-1] == "stopped"
    assert events.count("request") == 2


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--lies", "fib=0.1"], "no behavior"),
        (["--clock", "database"], "--database-url"),
        (["--database-url", "postgresql://127.0.0.1:9/nowhere"], "can't start"),
    ],
)
def test_a_wrong_flag_stops_the_start_and_says_what_to_mend(flags: list[str], says: str) -> None:
    command = [sys.executable, "-m", "services.sandbox", "--http-port", "0", "--smtp-port", "0"]
    ended = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
