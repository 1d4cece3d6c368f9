"""A book's form: its header, separator and encoding, told before any row."""

from pathlib import Path

import pytest

from services.scheduler.book import Unreadable
from tests.scheduler.books import GOOD, errors_of, found_in, write


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"borrower_ref,country\n", (1, "loan_id")),
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


@pytest.mark.parametrize(
    "content", ["", "\n", "B-1,US,+1 202 555 0143\nB-2,US,\n", "Anna Example\n"]
)
def test_a_book_without_a_header_is_told_once_and_none_of_it_is_shown(
    tmp_path: Path, content: str
) -> None:
    path = tmp_path / "book.csv"
    path.write_text(content)
    [error] = found_in(path)
    assert (error.row, error.column, error.problem) == (1, "", "is not a header")
    assert "borrower_ref,country,loan_id" in error.fix
    assert not any(value in str(error) for value in ("B-1", "0143", "Anna"))


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("+1 202 555 0143", "column 2"),
        ("anna@example.com", "column 2"),
        ("B-1001", "column 2"),
        ("", "column 2"),
        ("nick_name", "nick_name"),
    ],
)
def test_an_unknown_column_is_named_only_if_it_can_be_no_value(
    tmp_path: Path, cell: str, shown: str
) -> None:
    path = write(tmp_path / "book.csv", GOOD)
    path.write_text(path.read_text().replace("country,", f"country,{cell},", 1).replace(
        "borrower_ref,country,", "borrower_ref,", 1
    ))  # fmt: skip
    unknown = [error for error in found_in(path) if error.problem == "is an unknown column"]
    assert [error.column for error in unknown] == [shown]
    assert cell == shown or not cell or cell not in str(found_in(path))


def test_what_is_wrong_with_a_header_is_told_once_and_briefly(tmp_path: Path) -> None:
    path = write(tmp_path / "book.csv", GOOD)
    text = path.read_text()
    path.write_text(text.replace("email", "phone", 1).replace("due_date", "Due Date", 1))
    assert [(e.column, e.problem) for e in found_in(path)] == [
        ("due_date", "is missing"),
        ("column 10", "is an unknown column"),
        ("phone", "is there twice"),
    ]
    assert "due_date" in found_in(path)[1].fix
    assert all(len(error.fix) < 100 for error in found_in(path))


@pytest.mark.parametrize(("before", "comma"), [("sep=;\n", ";"), ("", "\t")])
def test_a_book_as_a_spreadsheet_exports_it_is_told_what_to_mend(
    tmp_path: Path, before: str, comma: str
) -> None:
    path = write(tmp_path / "book.csv", GOOD, delimiter=comma)
    path.write_text(before + path.read_text())
    [error] = found_in(path)
    assert error.row == 1
    assert ("sep=" if before else "comma or semicolon") in error.fix


@pytest.mark.parametrize("separator", ["|", ":", " "])
def test_a_book_with_another_separator_is_told_which_there_are(
    tmp_path: Path, separator: str
) -> None:
    [error] = found_in(write(tmp_path / "book.csv", GOOD, delimiter=separator))
    assert (error.row, "comma or semicolon" in error.fix) == (1, True)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le"])
def test_a_book_in_another_encoding_is_told_so_also_without_a_mark(
    tmp_path: Path, encoding: str
) -> None:
    path = write(tmp_path / "book.csv", GOOD)
    path.write_bytes(path.read_text().encode(encoding))
    with pytest.raises(Unreadable, match="not UTF-8: save it as"):
        found_in(path)


def test_an_empty_book_is_told_to_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "book.csv"
    path.touch()
    [error] = found_in(path)
    assert "the file is empty" in error.fix
