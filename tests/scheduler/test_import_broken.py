"""An import that ends before its end: Ctrl-C, wrong doors and keys, a book that changes."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from services.runtime.database import Pool
from services.scheduler.book import Row, Unreadable
from services.scheduler.import_book import CHUNK_ROWS, Tally, send
from services.scheduler.import_book import Doors as ImportDoors
from tests.scheduler.books import GOOD, book, write
from tests.scheduler.builders import reminders
from tests.scheduler.importing import Importing


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
    # As every secret it may come from a file.
    where = tmp_path / "key"
    code, said = await importing.run(str(path), DUNWELL_API_KEY="", DUNWELL_API_KEY_FILE=str(where))
    assert (code, "DUNWELL_API_KEY_FILE: cannot read that file" in said) == (2, True)
    where.write_text(importing.environment["DUNWELL_API_KEY"] + "\n")
    code, said = await importing.run(str(path), DUNWELL_API_KEY="", DUNWELL_API_KEY_FILE=str(where))
    assert code == 0, said


async def test_a_book_that_changes_while_it_is_sent_is_told_as_such() -> None:
    def rows() -> Iterator[Row]:
        raise Unreadable("the file changed while it was imported; import it again")
        yield

    async with aiohttp.ClientSession() as session:
        doors = ImportDoors(session, "http://127.0.0.1:1", "", "http://127.0.0.1:1", "")
        with pytest.raises(Unreadable):
            await send(rows(), doors, Tally(), lambda _: None)
