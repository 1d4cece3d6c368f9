"""Loan books written for a test, and what is found wrong in them."""

import csv
from collections.abc import Mapping
from pathlib import Path

from services.scheduler.book import Consistency, Row, read
from services.scheduler.book_cells import RowError
from tests.scheduler.builders import NOW

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


def found_in(path: Path) -> list[RowError]:
    """Everything wrong."""
    found, consistency = [], Consistency()
    for row in read(path, {"standard"}, 1, NOW):
        found += [row] if isinstance(row, RowError) else list(consistency.look_at(row))
    assert all(error.fix for error in found)
    return found


def errors_of(path: Path) -> list[tuple[int, str]]:
    """(row, column) of everything wrong."""
    return [(error.row, error.column) for error in found_in(path)]


def amounts(path: Path) -> list[int]:
    rows = [row for row in read(path, {"standard"}, 1, NOW) if isinstance(row, Row)]
    return [row.loan.installments[0].amount_minor for row in rows]


def book(path: Path) -> Path:
    """Three borrowers, four loans, six installments."""
    rows = [GOOD, GOOD | {"installment_number": "2", "due_date": "2026-07-15"}]
    for n in (2, 3):
        other = GOOD | {"borrower_ref": f"B-{n}", "loan_id": f"L-{n}", "email": "", "phone": ""}
        rows.append(other | {"push_token": f"device-{n}"})
    rows.append(rows[-1] | {"loan_id": "L-4"})
    rows.insert(3, rows[-1] | {"installment_number": "2"})
    return write(path, *rows)
