"""`dunwell import`: a book is checked whole, sent once, and sent again without effect."""

import json
from pathlib import Path

from click.testing import CliRunner

from services.runtime.database import Pool
from services.scheduler.book_cells import ADDRESSES, COLUMNS
from services.scheduler.cli_import import import_command
from tests.scheduler.books import GOOD, amounts, book, errors_of, write
from tests.scheduler.builders import reminders
from tests.scheduler.importing import Importing


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
