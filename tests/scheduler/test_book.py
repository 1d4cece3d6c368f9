"""A loan book is read: every wrong cell is named by row and column."""

from pathlib import Path

import pytest

from services.scheduler.book import Row, Unreadable, read
from services.scheduler.book_cells import OPTIONAL
from tests.scheduler.books import GOOD, amounts, errors_of, found_in, write
from tests.scheduler.builders import NOW


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
        ({"work_phone": "555-0143"}, "work_phone"),
        ({"work_email": "nobody"}, "work_email"),
        ({"time_barred": "perhaps"}, "time_barred"),
        ({"in_procedures": "1"}, "in_procedures"),
        ({"missed_meetings": "two"}, "missed_meetings"),
    ],
)
def test_a_wrong_cell_is_named_by_row_and_column(
    tmp_path: Path, change: dict[str, str], column: str
) -> None:
    empty = {name: "" for name in OPTIONAL} | GOOD
    path = write(tmp_path / "book.csv", empty, empty | {"installment_number": "2"} | change)
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


def test_a_row_says_what_more_is_known_of_loan_and_addresses(tmp_path: Path) -> None:
    row = GOOD | {"in_procedures": "Yes", "missed_meetings": "2", "work_email": "b1@work.example"}
    [read_row] = read(write(tmp_path / "book.csv", row), {"standard"}, 1, NOW)
    assert isinstance(read_row, Row)
    loan = read_row.loan
    assert (loan.time_barred, loan.in_procedures, loan.missed_meetings) == (False, True, 2)
    assert [(a.column, a.kind, a.place) for a in read_row.addresses or ()] == [
        ("phone", "mobile", "personal"), ("email", "email", "personal"),
        ("work_email", "email", "work"),
    ]  # fmt: skip


def test_a_book_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "book.csv", GOOD, delimiter=";")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")
    assert amounts(path) == [12_050]


def test_all_that_is_wrong_with_a_row_is_told_at_once(tmp_path: Path) -> None:
    wrong = {
        "borrower_ref": "x" * 201,
        "country": "XX",
        "product": "yacht",
        "currency": "usd",
        "amount": "much",
        "due_date": "15.06.2026",
        "locale": "klingon",
        "phone": "555-0143",
    }
    found = found_in(write(tmp_path / "book.csv", GOOD | wrong))
    assert sorted(error.column for error in found) == sorted(wrong)
    says = {error.column: error for error in found}
    assert "at most 200 characters" in says["borrower_ref"].fix
    assert "in capitals" in says["currency"].fix
    assert "microfinance" in says["product"].fix
    found = found_in(write(tmp_path / "book.csv", GOOD | {"amount": "much", "paid": "20"}))
    assert [error.column for error in found] == ["amount"]
    empty = dict.fromkeys(("borrower_ref", "country", "loan_id", "product", "currency"), "")
    found = found_in(write(tmp_path / "book.csv", GOOD | empty | {"zone": "Mars/Olympus"}))
    assert {error.column for error in found} == {*empty, "zone"}


def test_rows_that_differ_are_told_in_which_columns(tmp_path: Path) -> None:
    rows = (
        GOOD,
        GOOD | {"installment_number": "2", "zone": "America/Chicago", "phone": ""},
        GOOD | {"installment_number": "3", "product": "mortgage"},
    )
    borrower, loan = found_in(write(tmp_path / "book.csv", *rows))
    assert borrower.problem == "is told otherwise in row 2: zone, phone"
    assert loan.problem == "is told otherwise in row 2: product"


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


@pytest.mark.parametrize("header", ['"borrower_ref"x,country', '"borrower_ref,country'])
def test_a_first_row_that_is_no_csv_is_an_error_of_that_row(tmp_path: Path, header: str) -> None:
    path = tmp_path / "book.csv"
    path.write_text(header + "\n")
    assert {row for row, _ in errors_of(path)} == {1}
