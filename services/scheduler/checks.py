"""What is wrong with a lender's fact although its shape is right?  Pure: field, problem, fix."""

import re
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from functools import cache, lru_cache

from babel.core import Locale, UnknownLocaleError, get_global
from babel.numbers import get_currency_precision

from services.events.base import Event
from services.events.loans import (
    BorrowerRegistered,
    InstallmentScheduled,
    LoanClosed,
    LoanRegistered,
    RepaymentReceived,
    RepaymentReversed,
    SourceWatermark,
)
from services.runtime.web import FieldError
from services.scheduler.places import countries, zone_names

MAX_YEARS = 50
MAX_VERSION = 2**53 - 1  # what a JSON number holds exactly everywhere
MAX_INSTALLMENTS_A_LOAN = 1_200  # a hundred years of months
MAX_ZONES = 40
MAX_BOUND_SECONDS = 45 * 86_400
CLOCK_SKEW = timedelta(days=1)

_SUBDIVISION = re.compile(r"[A-Z0-9]{1,3}\Z")


@cache
def currencies() -> frozenset[str]:
    """ISO 4217 codes that are legal tender somewhere today, by CLDR; minor units by `digits`."""
    return frozenset(
        code
        for entries in get_global("territory_currencies").values()
        for code, _start, end, tender in entries
        if end is None and tender
    )


def digits(currency: str) -> int:
    """How many decimals the currency has: 2 for USD, 0 for JPY, 3 for KWD."""
    return get_currency_precision(currency)


def faults(event: Event, *, cadences: Collection[str], now: datetime) -> Sequence[FieldError]:
    """Everything wrong with one fact taken alone; empty: it may be recorded."""
    match event:
        case BorrowerRegistered():
            return [*_version(event.version), *_borrower(event)]
        case LoanRegistered():
            return [*_version(event.version), *_currency(event.currency), *_loan(event, cadences)]
        case InstallmentScheduled():
            return [
                *_version(event.version),
                *_number(event.installment_number),
                *_currency(event.currency),
                *_due_date(event.due_date, now.date()),
            ]
        case RepaymentReceived():
            return [
                *_number(event.installment_number),
                *_currency(event.currency),
                *_paid(event.amount_minor),
                *_past("received_at", event.received_at, now),
            ]
        case RepaymentReversed():
            return [
                *_number(event.installment_number),
                *_past("reversed_at", event.reversed_at, now),
            ]
        case LoanClosed():
            return [*_version(event.version), *_past("closed_at", event.closed_at, now)]
        case SourceWatermark():
            return [*_past("as_of", event.as_of, now), *_bound(event.bound_seconds)]
    return [FieldError("type", "is not a fact of loans", "send it on its own topic")]


def _version(version: int) -> Sequence[FieldError]:
    if 1 <= version <= MAX_VERSION:
        return ()
    fix = "count from 1, one more with every change; the highest wins"
    return [FieldError("version", "is not a version", fix)]


def _borrower(event: BorrowerRegistered) -> Sequence[FieldError]:
    found = []
    if event.country not in countries():
        fix = "ISO 3166-1 alpha-2 in capitals, such as US, CN, IN"
        found.append(FieldError("country", "is not a country", fix))
    if event.subdivision is not None and not _SUBDIVISION.match(event.subdivision):
        fix = "ISO 3166-2 without the country, in capitals, such as MA; or leave it out"
        found.append(FieldError("subdivision", "is not a subdivision", fix))
    if len(event.zones) > MAX_ZONES:
        found.append(FieldError("zones", "are too many", f"at most {MAX_ZONES}"))
    for index, candidate in enumerate(event.zones):
        if candidate.zone not in zone_names():
            fix = "an IANA name such as America/New_York; or leave it out"
            found.append(FieldError(f"zones[{index}].zone", "is not a time zone", fix))
    if not _is_locale(event.locale):
        fix = "a language tag such as en, zh-CN, pt-BR"
        found.append(FieldError("locale", "is not a locale", fix))
    return found


@lru_cache(maxsize=1024)
def _is_locale(tag: str) -> bool:
    try:
        Locale.parse(tag.replace("_", "-"), sep="-")
    except (ValueError, UnknownLocaleError):
        return False
    return True


@lru_cache(maxsize=1024)
def language_tag(locale: str) -> str:
    """A locale as BCP 47 writes it, by which templates are found: `pt_BR.UTF-8` → `pt-BR`."""
    language, *others = re.split("[.@]", locale)[0].replace("_", "-").split("-")
    cases = {2: str.upper, 4: str.title}  # a region, a script
    return "-".join([language.lower(), *(cases.get(len(o), str.lower)(o) for o in others)])


def _loan(event: LoanRegistered, cadences: Collection[str]) -> Sequence[FieldError]:
    if event.cadence in cadences:
        return ()
    fix = f"one of {', '.join(sorted(cadences))}; or add a file to the cadences' folder"
    return [FieldError("cadence", "is not a cadence known here", fix)]


def _currency(currency: str) -> Sequence[FieldError]:
    if currency in currencies():
        return ()
    fix = "an ISO 4217 code in use today, in capitals, such as USD, CNY, INR"
    return [FieldError("currency", "is not a currency", fix)]


def _number(number: int) -> Sequence[FieldError]:
    if 1 <= number <= MAX_INSTALLMENTS_A_LOAN:
        return ()
    fix = f"count the loan's installments from 1 to {MAX_INSTALLMENTS_A_LOAN}"
    return [FieldError("installment_number", "is out of range", fix)]


def _due_date(due: date, today: date) -> Sequence[FieldError]:
    if abs(due.year - today.year) <= MAX_YEARS:
        return ()
    fix = f"a day within {MAX_YEARS} years of today, as YYYY-MM-DD"
    return [FieldError("due_date", "is absurd", fix)]


def _paid(amount_minor: int) -> Sequence[FieldError]:
    if amount_minor > 0:
        return ()
    fix = "minor units above 0; a payment that bounced is reversed, not negated"
    return [FieldError("amount_minor", "is not a payment", fix)]


def _past(field: str, instant: datetime, now: datetime) -> Sequence[FieldError]:
    if instant <= now + CLOCK_SKEW:
        return ()
    return [FieldError(field, "lies in the future", "the instant at which it happened, in UTC")]


def _bound(seconds: int) -> Sequence[FieldError]:
    if 1 <= seconds <= MAX_BOUND_SECONDS:
        return ()
    fix = f"how old the source may grow, 1 to {MAX_BOUND_SECONDS} seconds"
    return [FieldError("bound_seconds", "is out of range", fix)]
