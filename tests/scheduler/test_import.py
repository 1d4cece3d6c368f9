"""`dunwell import`: a book is checked whole, sent once, and sent again without effect."""

import asyncio
import csv
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
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
from services.scheduler.book import Consistency, Row, Unreadable, read
from services.scheduler.book_cells import COLUMNS, RowError
from services.scheduler.cli_import import import_command
from services.scheduler.doors import MAX_BODY_BYTES, Doors
from services.scheduler.intake import Context
from services.scheduler.paid_door import PaidDoor
from tests.database import Database
from tests.scheduler.builders import NOW, TENANT, reminders, stand_at
from tests.scheduler.test_doors import PEPPER, SilentProducer

GOOD = {
    "borrower_ref": "B-1",
    "country": "US",
    "subdivision": "MA",
    "zone": "America/New_York",
    "locale": "en",
    "loan_id": "L-1",
    "product": "personal_loan",
    "currency": "USD",
    "installment_number": "1",
    "due_date": "2026-06-15",
    "amount": "120.50",
    "paid": "",
    "phone": "+1 202 555 0143",
    "email": "b1@example.com",
    "push_token": "",
}


def write(path: Path, *rows: Mapping[str, str], delimiter: str = ",") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return path


def errors_of(path: Path) -> list[tuple[int, str]]:
    """(row, column) of everything wrong."""
    found, consistency = [], Consistency()
    for row in read(path, {"standard"}, 1, NOW):
        found += [row] if isinstance(row, RowError) else list(consistency.look_at(row))
    assert all(error.fix for error in found)
    return [(error.row, error.column) for error in found]


def amounts(path: Path) -> list[int]:
    rows = [row for row in read(path, {"standard"}, 1, NOW) if isinstance(row, Row)]
    return [row.loan.installments[0].amount_minor for row in rows]


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"currency": "ZZZ"}, "currency"),
        ({"currency": "usd"}, "currency"),
        ({"country": "XX"}, "country"),
        ({"zone": "America/New_Yorck"}, "zone"),
        ({"locale": "klingon"}, "locale"),
        ({"product": "yacht"}, "product"),
        ({"role": "uncle"}, "role"),
        ({"cadence": "harsh"}, "cadence"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "inf"}, "amount"),
        ({"amount": "-5"}, "amount"),
        ({"amount": "1,000.00"}, "amount"),
        ({"amount": "1.005"}, "amount"),
        ({"amount": ""}, "amount"),
        ({"amount": "120.5", "currency": "JPY"}, "amount"),
        ({"paid": "121"}, "paid"),
        ({"paid": "most"}, "paid"),
        ({"due_date": "15.06.2026"}, "due_date"),
        ({"due_date": "2026-02-30"}, "due_date"),
        ({"due_date": "2126-06-15"}, "due_date"),
        ({"installment_number": "one"}, "installment_number"),
        ({"installment_number": "0"}, "installment_number"),
        ({"loan_id": ""}, "loan_id"),
        ({"loan_id": "x" * 201}, "loan_id"),
        ({"borrower_ref": "a\nb"}, "borrower_ref"),
        ({"phone": "555-0143"}, "phone"),
        ({"phone": "+1"}, "phone"),
        ({"email": "nobody"}, "email"),
        ({"push_token": "two words"}, "push_token"),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(
    tmp_path: Path, change: dict[str, str], column: str
) -> None:
    rows = (GOOD, GOOD | {"installment_number": "2"} | {"role": "", "cadence": ""} | change)
    path = write(tmp_path / "book.csv", *(GOOD | {"role": "", "cadence": ""} | r for r in rows))
    assert (3, column) in errors_of(path)
    assert not any(row == 2 for row, _ in errors_of(path))


def test_rows_of_one_loan_or_borrower_that_differ_are_refused(tmp_path: Path) -> None:
    rows = (
        GOOD,
        GOOD | {"installment_number": "2", "country": "IN"},
        GOOD | {"installment_number": "3", "phone": "+1 202 555 0144"},
        GOOD | {"installment_number": "4", "currency": "EUR"},
        GOOD,
    )
    assert errors_of(write(tmp_path / "book.csv", *rows)) == [
        (3, "borrower_ref"), (4, "borrower_ref"), (5, "loan_id"), (6, "installment_number"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("amount", "paid", "currency", "minor"),
    [
        ("120.50", "", "USD", 12_050),
        ("120", "yes", "USD", 0),
        ("120", "20.5", "USD", 9_950),
        ("120", "no", "JPY", 120),
        ("1.234", "", "KWD", 1_234),
        ("0.10", "", "USD", 10),
    ],
)
def test_amounts_are_minor_units_by_the_currencys_digits(
    tmp_path: Path, amount: str, paid: str, currency: str, minor: int
) -> None:
    row = GOOD | {"amount": amount, "paid": paid, "currency": currency}
    assert amounts(write(tmp_path / "book.csv", row)) == [minor]


def test_a_book_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "book.csv", GOOD, delimiter=";")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")
    assert amounts(path) == [12_050]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", (1, "borrower_ref")),
        (b"borrower_ref,name\n", (1, "name")),
        (b"loan_id,loan_id\n", (1, "loan_id")),
    ],
)
def test_a_wrong_header_is_told_before_any_row(
    tmp_path: Path, content: bytes, said: tuple[int, str]
) -> None:
    path = tmp_path / "book.csv"
    path.write_bytes(content)
    assert said in errors_of(path)


def test_a_row_that_breaks_the_format_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "book.csv", GOOD)
    good = path.read_bytes()
    path.write_bytes(good + b"B-2,US\n")
    assert errors_of(path) == [(3, "")]
    path.write_bytes(good + b'"B-2\x00,US\n')
    assert errors_of(path) == [(3, "")]
    path.write_bytes(good.replace(b"B-1", b"B-\xff"))
    with pytest.raises(Unreadable, match="UTF-8"):
        errors_of(path)


def test_a_large_book_is_checked_as_a_stream(tmp_path: Path) -> None:
    rows = [GOOD | {"installment_number": str(n)} for n in range(1, 1_201)]
    path = write(tmp_path / "book.csv", *rows)
    stream = read(path, {"standard"}, 1, NOW)
    assert isinstance(next(stream), Row)
    assert errors_of(path) == []


@dataclass
class Notifier:
    """What the notifier's door was told, and how it answers."""

    lists: dict[str, Any] = field(default_factory=dict)
    refuses: str = ""
    down_for: int = 0

    async def put(self, request: web.Request) -> web.Response:
        if self.down_for:
            self.down_for -= 1
            return web.Response(status=503)
        reference = request.match_info["borrower_ref"]
        if reference == self.refuses:
            error = {"field": "contact_points[0].value", "problem": "is no number", "fix": "mend"}
            return web.json_response({"code": "invalid", "errors": [error]}, status=422)
        self.lists[reference] = await request.json()
        return web.json_response({})


@dataclass
class Importing:
    """A scheduler's and a notifier's door, and the command."""

    environment: dict[str, str]
    notifier: Notifier

    async def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """Exit code, and all that was printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services", "import", *arguments,
            env=self.environment | variables,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()


@pytest.fixture
async def importing(db: Pool, context: Context, database: Database) -> AsyncIterator[Importing]:
    await stand_at(database, NOW)
    notifier = Notifier()
    gate = web.Application()
    gate.add_routes([web.put("/v1/borrowers/{borrower_ref}/contact-points", notifier.put)])
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


async def test_a_wrong_key_or_none_is_told_as_such(importing: Importing, tmp_path: Path) -> None:
    path = book(tmp_path / "book.csv")
    code, said = await importing.run(str(path), DUNWELL_API_KEY="")
    assert (code, "DUNWELL_API_KEY is required" in said) == (2, True)
    code, said = await importing.run(str(path), DUNWELL_API_KEY="dw_000000000000_" + "x" * 43)
    assert code == 2
    assert "unknown or revoked API key" in said


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
