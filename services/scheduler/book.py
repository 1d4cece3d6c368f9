"""A loan book as CSV: a row an installment, read as a stream, errors with row and column."""

import csv
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple

from services.scheduler import bodies
from services.scheduler.book_cells import COLUMNS, OPTIONAL, Address, Cells, RowError
from services.scheduler.checks import faults

_BORROWER = (
    "country subdivision city zone locale household_ref"
    " phone email work_phone work_email push_token"
)
_LOAN = "borrower_ref product currency role cadence time_barred in_procedures missed_meetings"


class Row(NamedTuple):
    """One installment with its loan and borrower, and where the borrower can be reached."""

    number: int
    loan: bodies.LoanBody
    addresses: tuple[Address, ...]


class Unreadable(Exception):
    """The file can't be read at all; says why and what to do."""


def read(
    path: Path, cadences: Collection[str], version: int, now: datetime
) -> Iterator[Row | RowError]:
    """Every row, or its errors.  Rows are checked one by one; `Consistency` compares them."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            delimiter = ";" if first.count(";") > first.count(",") else ","
            file.seek(0)
            lines = csv.reader(file, delimiter=delimiter, strict=True)
            header: list[str] = []
            for number in count(1):
                try:
                    values = next(lines, None)
                except csv.Error as error:
                    yield RowError(number, "", f"is not CSV ({error})", "save it as CSV UTF-8 anew")
                    return
                if number == 1:
                    header = [name.strip() for name in values or []]
                    if wrong := list(_header(header)):
                        yield from wrong
                        return
                    continue
                if values is None:
                    return
                if not any(value.strip() for value in values):
                    continue
                yield from _row(number, header, values, cadences, version, now)
    except UnicodeDecodeError:
        raise Unreadable("the file is not UTF-8: save it as `CSV UTF-8`") from None
    except OSError as error:
        raise Unreadable(f"the file can't be read: {error.strerror}") from None


def _header(header: list[str]) -> Iterator[RowError]:
    for name in COLUMNS:
        if name not in header and name not in OPTIONAL:
            yield RowError(1, name, "is missing", "the first row names the columns")
    for name in header:
        if name not in COLUMNS:
            known = ", ".join(COLUMNS)
            yield RowError(1, name or "(empty)", "is an unknown column", f"the columns are {known}")
        elif header.count(name) > 1:
            yield RowError(1, name, "is there twice", "keep one")


def _row(
    number: int,
    header: list[str],
    values: list[str],
    cadences: Collection[str],
    version: int,
    now: datetime,
) -> Iterator[Row | RowError]:
    if len(values) != len(header):
        problem = f"has {len(values)} fields, the header {len(header)}"
        yield RowError(number, "", problem, "quote fields that hold the separator")
        return
    cells = {name: "" for name in COLUMNS} | {
        name: value.strip() for name, value in zip(header, values, strict=True)
    }
    reader = Cells(number, cells)
    loan = reader.loan(version)
    addresses = reader.addresses()
    if loan is not None and not reader.errors:
        for error in _faults(loan, cadences, now):
            reader.wrong(*error)
    if loan is None or reader.errors:
        yield from reader.errors
    else:
        yield Row(number, loan, addresses)


def _faults(
    loan: bodies.LoanBody, cadences: Collection[str], now: datetime
) -> Iterator[tuple[str, str, str]]:
    seen = set()
    for fact in bodies.loan("any", loan):
        for error in faults(fact, cadences=cadences, now=now):
            column = "zone" if error.field.startswith("zones") else error.field
            if (column, error.problem) not in seen:
                seen.add((column, error.problem))
                yield column, error.problem, error.fix


class Consistency:
    """Do rows of one loan and of one borrower say the same?  Keeps digests, not rows."""

    def __init__(self) -> None:
        self._borrowers: dict[str, tuple[int, int]] = {}
        self._loans: dict[str, tuple[int, int]] = {}
        self._installments: dict[tuple[str, int], int] = {}

    def look_at(self, row: Row) -> Iterator[RowError]:
        """What contradicts an earlier row."""
        loan = row.loan
        said = hash((loan.borrower, row.addresses))
        earlier, line = self._borrowers.setdefault(loan.borrower_ref, (said, row.number))
        if earlier != said:
            fix = f"repeat the same {', '.join(_BORROWER.split())}"
            yield RowError(row.number, "borrower_ref", f"is told otherwise in row {line}", fix)
        said = hash(tuple(getattr(loan, name) for name in _LOAN.split()))
        earlier, line = self._loans.setdefault(loan.loan_id, (said, row.number))
        if earlier != said:
            fix = f"repeat the same {', '.join(_LOAN.split())}"
            yield RowError(row.number, "loan_id", f"is told otherwise in row {line}", fix)
        key = (loan.loan_id, loan.installments[0].installment_number)
        line = self._installments.setdefault(key, row.number)
        if line != row.number:
            fix = "number a loan's installments 1, 2, 3 …, each in one row"
            yield RowError(row.number, "installment_number", f"is in row {line} already", fix)
