"""`dunwell import`: a book is checked whole, sent once, and sent again without effect."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner

from services.runtime import apikeys
from services.runtime.apikeys import ApiKeys
from services.runtime.database import Pool
from services.runtime.outbox import Outbox
from services.runtime.web import application
from services.scheduler.book import Row, Unreadable
from services.scheduler.book_cells import ADDRESSES, COLUMNS
from services.scheduler.cli_import import import_command
from services.scheduler.doors import MAX_BODY_BYTES, Doors
from services.scheduler.import_book import CHUNK_ROWS, Tally, send
from services.scheduler.import_book import Doors as ImportDoors
from services.scheduler.intake import Context
from services.scheduler.paid_door import PaidDoor
from tests.database import Database
from tests.scheduler.builders import NOW, TENANT, reminders, stand_at
from tests.scheduler.lender import PEPPER, SilentProducer
from tests.scheduler.test_book import GOOD, amounts, errors_of, write


@dataclass
class Notifier:
    """What the notifier's door was told, and how it answers."""

    lists: dict[str, Any] = field(default_factory=dict)
    title: str = "Dunwell notifier"
    refuses: str = ""
    down_for: int = 0
    hangs_at: str = ""

    async def document(self, _: web.Request) -> web.Response:
        return web.json_response({"info": {"title": self.title}})

    async def put(self, request: web.Request) -> web.Response:
        if self.down_for:
            self.down_for -= 1
            return web.Response(status=503)
        reference = request.match_info["borrower_ref"]
        if reference == self.hangs_at:
            await asyncio.sleep(3_600)
        if reference == self.refuses:
            error = {"field": "contact_points[0].value", "problem": "is no number", "fix": "mend"}
            return web.json_response({"code": "invalid", "errors": [error]}, status=422)
        given = await request.json()
        if self.lists.get(reference, given)["version"] > given["version"]:
            return web.json_response({"code": "version_old"}, status=409)
        self.lists[reference] = given
        return web.json_response({})


@dataclass
class Importing:
    """A scheduler's and a notifier's door, and the command."""

    environment: dict[str, str]
    notifier: Notifier

    async def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        process = await self._start(*arguments, **variables)
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def run_until(self, shown: str, *arguments: str) -> tuple[int, str]:
        """The same with Ctrl-C as soon as a person on a terminal sees `shown`; what came then."""
        process = await self._start(*arguments, FORCE_COLOR="1")
        assert process.stdout is not None
        await process.stdout.readuntil(shown.encode())
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def _start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "import", *arguments,
            env=self.environment | variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # As on a terminal: what a shell began in the background doesn't hear Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip


@pytest.fixture
async def importing(db: Pool, context: Context, database: Database) -> AsyncIterator[Importing]:
    await stand_at(database, NOW)
    notifier = Notifier()
    gate = web.Application()
    gate.add_routes(
        [
            web.put("/v1/borrowers/{borrower_ref}/contact-points", notifier.put),
            web.get("/openapi.json", notifier.document),
        ]
    )
    async with db.acquire() as connection:
        key = await apikeys.issue(
            connection, PEPPER, tenant=TENANT, scopes=["ingest"], label="test"
        )
    async with aiohttp.ClientSession() as session, TestServer(gate) as addresses:
        paid = PaidDoor(session, "http://127.0.0.1:1", "service-key")
        doors = Doors(context, db, ApiKeys(db, PEPPER), Outbox(db, SilentProducer()), paid)
        async with TestServer(application(doors.routes(), max_body_bytes=MAX_BODY_BYTES)) as ours:
            environment = {
                "PATH": os.environ["PATH"],
                "COLUMNS": "200",
                "DUNWELL_SCHEDULER_URL": str(ours.make_url("")),
                "DUNWELL_NOTIFIER_URL": str(addresses.make_url("")),
                "DUNWELL_API_KEY": key,
            }
            yield Importing(environment, notifier)


def book(path: Path) -> Path:
    """Three borrowers, four loans, six installments."""
    rows = [GOOD, GOOD | {"installment_number": "2", "due_date": "2026-07-15"}]
    for n in (2, 3):
        other = GOOD | {"borrower_ref": f"B-{n}", "loan_id": f"L-{n}", "email": "", "phone": ""}
        rows.append(other | {"push_token": f"device-{n}"})
    rows.append(rows[-1] | {"loan_id": "L-4"})
    rows.insert(3, rows[-1] | {"installment_number": "2"})
    return write(path, *rows)


async def test_a_book_is_imported_and_importing_it_again_changes_nothing(
    importing: Importing, db: Pool, tmp_path: Path
) -> None:
    path = book(tmp_path / "book.csv")
    code, said = await importing.run(str(path))
    assert code == 0, said
    assert "6 installments of 3 borrowers sent: 4 loans recorded" in said
    first = await reminders(db)
    assert len(first) == 60
    points = importing.notifier.lists["B-1"]["contact_points"]
    assert [point["kind"] for point in points] == ["mobile", "email"]
    code, said = await importing.run(str(path), "--json")
    answer = json.loads(said)
    assert (code, answer["recorded"], answer["unchanged"], answer["ok"]) == (0, 0, 4, True)
    assert await reminders(db) == first


async def test_a_book_with_one_wrong_row_sends_nothing_at_all(
    importing: Importing, db: Pool, tmp_path: Path
) -> None:
    path = book(tmp_path / "book.csv")
    path.write_text(path.read_text() + path.read_text().splitlines()[1].replace("US", "ZZ") + "\n")
    code, said = await importing.run(str(path), "--json")
    answer = json.loads(said)
    assert (code, answer["sent"]) == (1, 0)
    assert {error["row"] for error in answer["errors"]} == {8}
    assert importing.notifier.lists == {}
    assert await db.fetchval("SELECT count(*) FROM loans") == 0


async def test_checking_sends_nothing_and_needs_no_key(
    importing: Importing, db: Pool, tmp_path: Path
) -> None:
    path = book(tmp_path / "book.csv")
    code, said = await importing.run("--check", str(path), DUNWELL_API_KEY="")
    assert (code, "6 rows are sound" in said) == (0, True)
    assert importing.notifier.lists == {}
    assert await db.fetchval("SELECT count(*) FROM loans") == 0


async def test_an_import_that_broke_off_says_repeat_and_the_repeat_completes_it(
    importing: Importing, db: Pool, tmp_path: Path
) -> None:
    path = book(tmp_path / "book.csv")
    code, said = await importing.run(str(path), DUNWELL_NOTIFIER_URL="http://127.0.0.1:1")
    assert code == 3
    assert "repeat the import" in said
    importing.notifier.down_for = 2
    code, said = await importing.run(str(path))
    assert code == 0, said
    assert len(await reminders(db)) == 60


@pytest.mark.parametrize("options", [["--check"], []])
async def test_ctrl_c_ends_a_check_and_nothing_was_sent(
    importing: Importing, tmp_path: Path, options: list[str]
) -> None:
    rows = (GOOD | {"loan_id": f"L-{n}"} for n in range(40_000))
    path = write(tmp_path / "book.csv", *rows)
    code, said = await importing.run_until(" rows", *options, str(path))
    assert (code, "nothing was sent" in said, "sound" in said) == (3, True, False), said
    assert importing.notifier.lists == {}


async def test_ctrl_c_while_sending_says_what_is_in_and_the_repeat_completes_it(
    importing: Importing, db: Pool, tmp_path: Path
) -> None:
    rows = [GOOD | {"loan_id": f"L-{n}", "paid": "yes"} for n in range(CHUNK_ROWS)]
    last = GOOD | {"borrower_ref": "B-2", "loan_id": "L-last"}
    path = write(tmp_path / "book.csv", *rows, last)
    importing.notifier.hangs_at = "B-2"
    code, said = await importing.run_until("500/501", str(path))
    assert (code, "500 installments arrived" in said) == (3, True), said
    assert "repeat the same import" in said
    importing.notifier.hangs_at = ""
    code, said = await importing.run(str(path))
    assert (code, "1 loan recorded, 500 unchanged" in said) == (0, True), said


async def test_addresses_that_a_newer_book_empties_are_ended(
    importing: Importing, tmp_path: Path
) -> None:
    path = write(tmp_path / "book.csv", GOOD)
    await importing.run(str(path), "--version", "1")
    write(path, GOOD | {"phone": "", "email": "", "push_token": ""})
    code, said = await importing.run(str(path), "--version", "2")
    assert code == 0, said
    assert importing.notifier.lists["B-1"] == {"version": 2, "contact_points": []}


async def test_a_book_without_a_column_of_addresses_leaves_them_as_they_are(
    importing: Importing, tmp_path: Path
) -> None:
    path = write(tmp_path / "book.csv", GOOD)
    await importing.run(str(path), "--version", "1")
    before = dict(importing.notifier.lists)
    write(path, {name: value for name, value in GOOD.items() if name not in ADDRESSES})
    code, said = await importing.run(str(path), "--version", "2")
    assert code == 0, said
    assert importing.notifier.lists == before


async def test_what_a_door_refuses_is_told_by_row_and_the_rest_is_in(
    importing: Importing, db: Pool, tmp_path: Path
) -> None:
    path = book(tmp_path / "book.csv")
    await importing.run(str(path), "--version", "1")
    write(path, GOOD | {"borrower_ref": "B-9"}, GOOD | {"loan_id": "L-8"})
    importing.notifier.refuses = "B-1"
    code, said = await importing.run(str(path), "--version", "2", "--json")
    answer = json.loads(said)
    assert code == 1
    assert [(error["row"], error["column"]) for error in answer["errors"]] == [
        (2, "borrower_ref"), (3, "phone"),
    ]  # fmt: skip
    assert answer["recorded"] == 1


async def test_a_file_older_than_what_is_stored_is_told_as_not_taken(
    importing: Importing, db: Pool, tmp_path: Path
) -> None:
    path = book(tmp_path / "book.csv")
    code, said = await importing.run(str(path), "--version", "1800000000")
    assert code == 0, said
    corrected = path.read_text().replace("2026-06-15", "2026-06-20")
    path.write_text(corrected)
    code, said = await importing.run(str(path), "--version", "7")
    assert code == 1
    assert "0 loans recorded, 0 unchanged, 0 errors" in said
    assert "Not taken: 4 loans and the addresses of 3 borrowers" in said
    assert "--version 1800000001" in said
    code, said = await importing.run(str(path), "--version", "7", "--json")
    answer = json.loads(said)
    assert (answer["ok"], answer["older"], answer["older_addresses"]) == (False, 4, 3)
    code, said = await importing.run(str(path), "--version", "1800000001")
    assert (code, "4 loans recorded" in said) == (0, True), said


@pytest.mark.parametrize("name", ["DUNWELL_SCHEDULER_URL", "DUNWELL_NOTIFIER_URL"])
async def test_a_door_that_is_not_the_right_one_is_told_by_its_variable_before_anything_is_sent(
    importing: Importing, db: Pool, tmp_path: Path, name: str
) -> None:
    path = book(tmp_path / "book.csv")
    [other] = {"DUNWELL_SCHEDULER_URL", "DUNWELL_NOTIFIER_URL"} - {name}
    for url in (importing.environment[other], "127.0.0.1:8010", "http://", "http://127.0.0.1:x"):
        code, said = await importing.run(str(path), **{name: url})
        assert (code, name in said, "Traceback" in said) == (2, True, False), (url, said)
    assert importing.notifier.lists == {}
    assert await db.fetchval("SELECT count(*) FROM loans") == 0


async def test_what_is_no_url_is_told_how_that_doors_is_written(
    importing: Importing, tmp_path: Path
) -> None:
    path = book(tmp_path / "book.csv")
    code, said = await importing.run(str(path), DUNWELL_NOTIFIER_URL="localhost:8030")
    assert (code, "http://127.0.0.1:8030" in said) == (2, True), said


@pytest.mark.parametrize("name", ["DUNWELL_SCHEDULER_URL", "DUNWELL_NOTIFIER_URL"])
async def test_what_speaks_another_protocol_is_a_wrong_door_and_not_one_that_is_away(
    importing: Importing, tmp_path: Path, name: str
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """As Kafka does on a request that is none of its own."""
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    path = book(tmp_path / "book.csv")
    plain = importing.environment[name]
    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for url in (plain.replace("http://", "https://"), f"http://127.0.0.1:{port}"):
            code, said = await importing.run(str(path), **{name: url})
            assert (code, name in said, "repeat" in said) == (2, True, False), (url, said)


async def test_a_wrong_key_or_none_is_told_as_such(importing: Importing, tmp_path: Path) -> None:
    path = book(tmp_path / "book.csv")
    code, said = await importing.run(str(path), DUNWELL_API_KEY="")
    assert (code, "DUNWELL_API_KEY is required" in said) == (2, True)
    code, said = await importing.run(str(path), DUNWELL_API_KEY="dw_000000000000_" + "x" * 43)
    assert code == 2
    assert "unknown or revoked API key" in said


async def test_a_book_that_changes_while_it_is_sent_is_told_as_such() -> None:
    def rows() -> Iterator[Row]:
        raise Unreadable("the file changed while it was imported; import it again")
        yield

    async with aiohttp.ClientSession() as session:
        doors = ImportDoors(session, "http://127.0.0.1:1", "", "http://127.0.0.1:1", "")
        with pytest.raises(Unreadable):
            await send(rows(), doors, Tally(), lambda _: None)


def test_one_row_is_counted_in_the_singular(tmp_path: Path) -> None:
    path = write(tmp_path / "book.csv", GOOD)
    said = CliRunner().invoke(import_command, ["--check", str(path)]).output
    assert "1 row is sound; so is the book." in said


def test_help_teaches_the_columns() -> None:
    said = CliRunner().invoke(import_command, ["--help"]).output
    assert all(name in said for name in COLUMNS)


def test_the_documents_smallest_book_is_sound_and_its_table_has_every_column(
    tmp_path: Path,
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "csv.md").read_text()
    path = tmp_path / "book.csv"
    path.write_text(text.partition("```csv\n")[2].partition("```")[0])
    assert errors_of(path) == []
    assert amounts(path) == [12_050]
    assert all(f"`{name}`" in text for name in COLUMNS)
