"""A loan book as CSV: a row an installment, read as a stream, errors with row and column."""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from itertools import count
from pathlib import Path
from typing import NamedTuple

from services.scheduler import bodies
from services.scheduler.book_cells import ADDRESSES, COLUMNS, OPTIONAL, Address, Cells, RowError
from services.scheduler.checks import faults

_BORROWER = (
    "country subdivision city zone locale household_ref"
    " phone email work_phone work_email push_token"
)
_LOAN = "borrower_ref product currency role cadence time_barred in_procedures missed_meetings"
_NOT_UTF_8 = "the file is not UTF-8: save it as `CSV UTF-8`"
_SMALLEST = ",".join(name for name in COLUMNS if name not in OPTIONAL)
_NAME_THEM = f"name the columns first, at least {_SMALLEST}"
_REQUIRED = COLUMNS.keys() - OPTIONAL
_WORD = re.compile(r"[a-z_]+")
_NAME = re.compile(r"[a-z_]{1,40}\Z")


class Row(NamedTuple):
    """One installment with its loan and borrower, and where the borrower can be reached."""

    number: int
    loan: bodies.LoanBody
    addresses: tuple[Address, ...] | None  # None: the book has no column of addresses


class Unreadable(Exception):
    """The file can't be read at all; says why and what to do."""


def read(
    path: Path, cadences: Collection[str], version: int, now: datetime
) -> Iterator[Row | RowError]:
    """Every row, or its errors.  Rows are checked one by one; `Consistency` compares them."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            if "\0" in first:  # every other byte of UTF-16
                raise Unreadable(_NOT_UTF_8)
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
                    if values is None:
                        fix = f"the file is empty: {_NAME_THEM}"
                        yield RowError(1, "", "is not a header", fix)
                        return
                    header = [name.strip() for name in values]
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
        raise Unreadable(_NOT_UTF_8) from None
    except OSError as error:
        raise Unreadable(f"the file can't be read: {error.strerror}") from None


def _header(header: list[str]) -> Iterator[RowError]:
    if not set(header) & COLUMNS.keys():
        yield _no_header(header[0] if header else "")
        return
    for name in COLUMNS:
        if name not in header and name not in OPTIONAL:
            yield RowError(1, name, "is missing", "the first row names the columns")
    for place, name in enumerate(header, 1):
        if name not in COLUMNS:
            near = get_close_matches(name.lower(), COLUMNS, 1)
            fix = f"name it {near[0]}, or remove it" if near else "remove it; --help tells them all"
            # A value may stand where a name belongs: only what can be no value is shown.
            shown = name if _NAME.match(name) else f"column {place}"
            yield RowError(1, shown, "is an unknown column", fix)
        elif header.index(name) < place - 1:
            yield RowError(1, name, "is there twice", "keep one")


def _no_header(first: str) -> RowError:
    """One error for the whole row: its cells are values, and are not shown."""
    if first.lower().startswith("sep="):
        return RowError(1, "", "is not a header", "remove the line sep=: no separator is declared")
    if "\t" in first:
        fix = "separate the columns by comma or semicolon, not by tabs"
        return RowError(1, "", "is not a header", fix)
    if _REQUIRED & set(_WORD.findall(first)):
        fix = "separate the columns by comma or semicolon, by nothing else"
        return RowError(1, "", "is not a header", fix)
    return RowError(1, "", "is not a header", _NAME_THEM)


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
    addresses = reader.addresses() if ADDRESSES.keys() & set(header) else None
    if loan is not None:
        for error in _faults(loan, cadences, now):
            reader.wrong(*error)
    if loan is None or reader.errors:
        yield from reader.errors
    else:
        yield Row(number, loan, addresses)


def _faults(
    loan: bodies.LoanBody, cadences: Collection[str], now: datetime
) -> Iterator[tuple[str, str, str]]:
    for fact in bodies.loan("any", loan):
        for error in faults(fact, cadences=cadences, now=now):
            column = "zone" if error.field.startswith("zones") else error.field
            yield column, error.problem, error.fix


class _Said(NamedTuple):
    """What a row said of its borrower or loan: a byte a column, the whole, and where."""

    marks: bytes
    whole: int
    row: int


class Consistency:
    """Do rows of one loan and of one borrower say the same?  Keeps digests, not rows."""

    def __init__(self) -> None:
        self._borrowers: dict[str, _Said] = {}
        self._loans: dict[str, _Said] = {}
        self._installments: dict[tuple[str, int], int] = {}

    def look_at(self, row: Row) -> Iterator[RowError]:
        """What contradicts an earlier row."""
        loan = row.loan
        addresses = {address.column: address.value for address in row.addresses or ()}
        told = {
            name: getattr(loan.borrower, {"zone": "zones"}.get(name, name), addresses.get(name))
            for name in _BORROWER.split()
        }
        yield from _otherwise("borrower_ref", loan.borrower_ref, told, self._borrowers, row.number)
        told = {name: getattr(loan, name) for name in _LOAN.split()}
        yield from _otherwise("loan_id", loan.loan_id, told, self._loans, row.number)
        key = (loan.loan_id, loan.installments[0].installment_number)
        line = self._installments.setdefault(key, row.number)
        if line != row.number:
            fix = "number a loan's installments 1, 2, 3 …, each in one row"
            yield RowError(row.number, "installment_number", f"is in row {line} already", fix)


def _otherwise(
    column: str, reference: str, told: Mapping[str, object], seen: dict[str, _Said], number: int
) -> Iterator[RowError]:
    digests = [hash(value) for value in told.values()]
    said = _Said(bytes(digest & 0xFF for digest in digests), hash(tuple(digests)), number)
    earlier = seen.setdefault(reference, said)
    if earlier.whole == said.whole:
        return
    pairs = zip(told, earlier.marks, said.marks, strict=True)
    # Two values may share their byte: then all columns are named.
    differing = [name for name, mark, other in pairs if mark != other] or list(told)
    problem = f"is told otherwise in row {earlier.row}: {', '.join(differing)}"
    yield RowError(number, column, problem, "repeat the same in every row")
