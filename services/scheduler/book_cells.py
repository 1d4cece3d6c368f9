"""One row of a loan book: its cells as a loan and contact points, and what is wrong with them."""

import re
from collections.abc import Collection, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec
import phonenumbers

from services.events.words import Product, Role
from services.scheduler import bodies
from services.scheduler.checks import currencies, digits

COLUMNS: Mapping[str, str] = {
    "borrower_ref": "your own id of the borrower",
    "country": "ISO 3166-1, two letters: US",
    "subdivision": "ISO 3166-2 without the country: MA (may be empty)",
    "city": "only where a city has rules of its own (may be empty)",
    "zone": "IANA time zones of the borrower's address, separated by spaces (may be empty)",
    "locale": "language: en, zh-CN (empty: en)",
    "household_ref": "the same for all of one household (may be empty)",
    "loan_id": "your own id of the loan",
    "product": "personal_loan, credit_card, auto_loan, mortgage, student_loan, microfinance, …",
    "currency": "ISO 4217: USD",
    "role": "creditor or collector (empty: creditor)",
    "cadence": "the ladder of reminders (empty: standard)",
    "time_barred": "yes if limitation has run (empty: no)",
    "in_procedures": "yes if charged off, accelerated or in legal action (empty: no)",
    "missed_meetings": "repayment meetings missed in succession (empty: 0)",
    "installment_number": "1, 2, 3 …",
    "due_date": "YYYY-MM-DD",
    "amount": "what is to be repaid, in major units: 120.50",
    "paid": "what of it is already paid, or `yes` for all (may be empty)",
    "phone": "mobile number, international: +1 202 555 0143 (may be empty)",
    "email": "e-mail address (may be empty)",
    "work_phone": "the same, of the borrower's work (may be empty)",
    "work_email": "the same, of the borrower's work (may be empty)",
    "push_token": "the app's FCM token (may be empty)",
}
OPTIONAL = frozenset(
    "subdivision city zone locale household_ref role cadence time_barred in_procedures"
    " missed_meetings paid phone email work_phone work_email push_token".split()
)
# Columns that hold an address: its kind, and what it is tied to.
ADDRESSES = {
    "phone": ("mobile", "personal"),
    "email": ("email", "personal"),
    "work_phone": ("mobile", "work"),
    "work_email": ("email", "work"),
    "push_token": ("app", "personal"),
}
# What stands in for a cell that was told to be wrong, while the others are looked at.
_STANDS_IN = {
    "borrower_ref": "any",
    "country": "US",
    "loan_id": "any",
    "product": Product.OTHER,
    "currency": "USD",
}
_A_DAY = date(2000, 1, 1)
_CLOSED: Mapping[str, Collection[str]] = {"product": tuple(Product), "role": tuple(Role)}
MAX_TEXT = 200

_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]+)?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_EMAIL = re.compile(r"[^@\s]{1,64}@([^@\s.]+\.)+[^@\s.]{2,}\Z")
_TOKEN = re.compile(r"[!-~]{1,4096}\Z")


class RowError(NamedTuple):
    """One thing wrong; rows as a spreadsheet numbers them, header 1.  Never the value itself."""

    row: int
    column: str
    problem: str
    fix: str


class Address(NamedTuple):
    """An address as the notifier's door wants it, and the column it came from."""

    column: str
    kind: str
    value: str
    place: str


class Cells:
    """One row's cells, and what is wrong with them."""

    def __init__(self, number: int, cells: Mapping[str, str]) -> None:
        self._number = number
        self._cells = cells
        self.errors: list[RowError] = []

    def wrong(self, column: str, problem: str, fix: str) -> None:
        """Note an error; a column is told once, what follows from its error is none."""
        if column not in self._told():
            self.errors.append(RowError(self._number, column, problem, fix))

    def _told(self) -> set[str]:
        return {error.column for error in self.errors}

    def loan(self, version: int) -> bodies.LoanBody | None:
        """The row as the body of POST /v1/loans; None if it can't be made.

        Sound cells stand in for wrong ones, so that all that is wrong is found: see `errors`.
        """
        for name in COLUMNS:
            if not self._cells[name] and name not in OPTIONAL:
                self.wrong(name, "is empty", COLUMNS[name])
        parts = {
            "installment_number": self._number_of("installment_number"),
            "due_date": self._due_date() or _A_DAY,
            "amount_minor": self._owed(),
        }
        terms = {
            "time_barred": self._yes("time_barred"),
            "in_procedures": self._yes("in_procedures"),
            "missed_meetings": self._number_of("missed_meetings"),
        }
        while True:
            if "amount" in self._told():
                parts["amount_minor"] = 0
            try:
                return msgspec.convert(self._body(version, parts, terms), bodies.LoanBody)
            except msgspec.ValidationError as error:
                # msgspec names one cell, and quotes an offending enum value; its path is enough.
                column = str(error).partition(" - at `$.")[2].rstrip("`").rpartition(".")[2]
                column = {"amount_minor": "amount"}.get(column, column)
                if column in self._told():
                    return None
                self.wrong(column, *_not_allowed(column, self._cells.get(column, "")))

    def _body(self, version: int, parts: dict[str, Any], terms: dict[str, Any]) -> dict[str, Any]:
        told = self._told()
        cells = {
            name: _STANDS_IN.get(name, "") if name in told else value
            for name, value in self._cells.items()
        }
        borrower = {
            "borrower_ref": cells["borrower_ref"],
            "version": version,
            "country": cells["country"],
            "subdivision": cells["subdivision"] or None,
            "city": cells["city"] or None,
            "zones": [{"zone": zone, "basis": "address"} for zone in cells["zone"].split()],
            "locale": cells["locale"] or "en",
            "household_ref": cells["household_ref"] or None,
        }
        return {
            "loan_id": cells["loan_id"],
            "borrower_ref": cells["borrower_ref"],
            "version": version,
            "product": cells["product"],
            "currency": cells["currency"],
            "role": cells["role"] or "creditor",
            "cadence": cells["cadence"] or "standard",
            "source": "file",
            **terms,
            "installments": [parts],
            "borrower": borrower,
        }

    def _owed(self) -> int:
        """Minor units still owed: the amount less what is paid, in the currency's own digits."""
        if self._cells["currency"] not in currencies():
            fix = "an ISO 4217 code in use today, in capitals, such as USD, CNY, INR"
            self.wrong("currency", "is not a currency", fix)
        amount = self._minor("amount", self._cells["amount"])
        paid = self._cells["paid"].lower()
        if paid in ("yes", "no", ""):
            return 0 if paid == "yes" else amount
        settled = self._minor("paid", paid)
        if settled > amount and "amount" not in self._told():
            self.wrong("paid", "is more than the amount", "an installment's own payments, or yes")
        return max(0, amount - settled)

    def _minor(self, column: str, text: str) -> int:
        currency = self._cells["currency"]
        if not text and column == "amount":
            return 0  # told already: it is empty
        if not _AMOUNT.match(text):
            fix = "digits and a decimal point, no sign, no thousands separator: 1234.50"
            self.wrong(column, "is not an amount", fix)
            return 0
        if currency not in currencies():
            return 0
        scaled = Decimal(text).scaleb(digits(currency))
        if scaled != scaled.to_integral_value():
            fix = f"at most {digits(currency)} decimals in this currency"
            self.wrong(column, "has too many decimals", fix)
        return int(scaled)

    def _number_of(self, column: str) -> int:
        text = self._cells[column]
        if text.isascii() and text.isdigit() and len(text) <= 6:
            return int(text)
        if text:
            self.wrong(column, "is not a whole number", COLUMNS[column])
        return 0

    def _yes(self, column: str) -> bool:
        said = self._cells[column].lower()
        if said not in ("yes", "no", ""):
            self.wrong(column, "is neither yes nor no", COLUMNS[column])
        return said == "yes"

    def _due_date(self) -> date | None:
        text = self._cells["due_date"]
        try:
            if not _DATE.match(text):
                raise ValueError
            return date.fromisoformat(text)
        except ValueError:
            if text:
                fix = "YYYY-MM-DD, such as 2026-06-15; a spreadsheet may have changed it"
                self.wrong("due_date", "is not a date", fix)
            return None

    def addresses(self) -> tuple[Address, ...]:
        """The borrower's whole list for the notifier's door, checked as far as its form goes."""
        return tuple(
            Address(column, kind, self._cells[column], place)
            for column, (kind, place) in ADDRESSES.items()
            if self._cells[column] and self._reachable(column, kind)
        )

    def _reachable(self, column: str, kind: str) -> bool:
        value = self._cells[column]
        match kind:
            case "mobile":
                good, fix = _is_phone(value), "with + and the country code: +1 202 555 0143"
            case "email":
                good, fix = bool(_EMAIL.match(value)), "name@example.com"
            case _:
                good, fix = bool(_TOKEN.match(value)), "the token as the app got it from FCM"
        if not good:
            self.wrong(column, "can't be an address", fix)
        return good


def _not_allowed(column: str, value: str) -> tuple[str, str]:
    """Problem and fix of a cell that is not of its type."""
    if column in _CLOSED:
        return "is not allowed", f"one of {', '.join(_CLOSED[column])}"
    if len(value) > MAX_TEXT:
        return "is too long", f"at most {MAX_TEXT} characters"
    if set(value) & set("\x00\r\n"):
        return "holds a line break or a NUL", "write it in one line"
    return "is not allowed", COLUMNS.get(column, "see --help")


def _is_phone(text: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(text, None))
    except phonenumbers.NumberParseException:
        return False
