"""The sample loan book: invented borrowers in seven countries and twelve zones, as a lender's CSV.

Numbers come from ranges kept for fiction (555-01xx, Ofcom's and ACMA's drama numbers), addresses
from example.com.  Where a country keeps no numbers for fiction its borrowers have e-mail and the
app only.  Due dates fall on two days, so that stepping through the book takes few steps; the days
after them hold the ends of summer time in Europe and in North America.
"""

import csv
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

BEGIN = datetime(2026, 10, 3, tzinfo=UTC)  # summer time begins in Sydney on the 4th
DAYS = 45
DUE_DATES = (date(2026, 10, 12), date(2026, 10, 26))
BORROWERS = 320

COLUMNS = (
    "borrower_ref country subdivision city zone locale household_ref loan_id product currency role"
    " cadence installment_number due_date amount paid phone email push_token"
).split()


@dataclass(frozen=True)
class Place:
    """Where some of the borrowers live."""

    country: str
    subdivision: str
    city: str
    zone: str
    locale: str
    currency: str
    area_codes: tuple[str, ...] = ()  # North America: then 555-01xx
    weight: int = 20
    product: str = "personal_loan"


PLACES = (
    Place("US", "NY", "New York City", "America/New_York", "en", "USD", ("212", "646"), 30),
    Place("US", "MA", "", "America/New_York", "en", "USD", ("617",), 20),
    Place("US", "TX", "", "America/Chicago", "es", "USD", ("512", "210"), 34),
    Place("US", "CO", "", "America/Denver", "en", "USD", ("303",), 24),
    Place("US", "AZ", "", "America/Phoenix", "es", "USD", ("602",), 20),
    Place("US", "CA", "", "America/Los_Angeles", "en", "USD", ("213", "415"), 34),
    Place("GB", "", "", "Europe/London", "en", "GBP", (), 36),
    Place("AU", "NSW", "", "Australia/Sydney", "en", "AUD", (), 24),
    Place("AU", "SA", "", "Australia/Adelaide", "en", "AUD", (), 16),
    Place("IN", "MH", "", "Asia/Kolkata", "en", "INR", (), 28, "microfinance"),
    Place("CN", "", "", "Asia/Shanghai", "zh-CN", "CNY", (), 24),
    Place("BR", "SP", "", "America/Sao_Paulo", "pt", "BRL", (), 16),
    Place("CO", "", "", "America/Bogota", "es", "COP", (), 14),
)


# ACMA keeps these mobile numbers for fiction (0491 570 006 and so on).
_ACMA_MOBILES = (
    "491570006 491570156 491570157 491570158 491570159 491570110 491570313 491570737 491571266"
    " 491571491 491571804 491572549 491572665 491572983 491573770 491573087 491574118 491574632"
    " 491575254 491575789 491576398 491576801 491577426 491577644 491578957 491578148 491578888"
    " 491579212 491579760 491579455"
).split()


def _phone(place: Place, number: int) -> str:
    if place.area_codes:
        area = place.area_codes[number % len(place.area_codes)]
        return f"+1{area}55501{number // len(place.area_codes) % 100:02d}"
    if place.country == "GB":
        return f"+447700900{number % 1000:03d}"  # Ofcom: 07700 900000 to 900999
    if place.country == "AU":
        return f"+61{_ACMA_MOBILES[number % len(_ACMA_MOBILES)]}"
    return ""


def rows(seed: int = 7) -> list[dict[str, str]]:
    """The book's rows, one an installment; the same seed gives the same book."""
    chance = random.Random(seed)
    places = [place for place in PLACES for _ in range(place.weight)][:BORROWERS]
    made: list[dict[str, str]] = []
    for index, place in enumerate(places):
        made += _borrower(index, place, chance)
    _share_phones(made, chance)
    return made


def _borrower(index: int, place: Place, chance: random.Random) -> list[dict[str, str]]:
    phone = _phone(place, index)
    wants_push = chance.random() < 0.35 or not phone
    lapsed_app = wants_push and chance.random() < 0.2
    token = f"{'unregistered-' if lapsed_app else ''}device-{index:04d}" if wants_push else ""
    common = {
        "borrower_ref": f"B{index:05d}",
        "country": place.country,
        "subdivision": place.subdivision,
        "city": place.city,
        # A few didn't tell: then every zone that the place or the number allows must be open.
        "zone": "" if chance.random() < 0.04 else place.zone,
        "locale": place.locale,
        # Every eighth shares a household with the one before, if both live in one place.
        "household_ref": f"H{index // 2:05d}" if index % 8 in (2, 3) else "",
        "product": place.product,
        "currency": place.currency,
        "role": "creditor",
        "phone": phone,
        "email": f"borrower{index:05d}@example.com" if chance.random() < 0.8 or not phone else "",
        "push_token": token,
    }
    due = DUE_DATES[index % len(DUE_DATES)]
    loans = [("standard", due)]
    if chance.random() < 0.12:  # a second loan, same day: caps count across loans
        loans.append(("standard", due))
    if chance.random() < 0.15:
        loans[0] = ("evening", due)
    return [
        common
        | {
            "loan_id": f"L{index:05d}-{number}",
            "cadence": cadence,
            "installment_number": "1",
            "due_date": due_date.isoformat(),
            "amount": _amount(place.currency, chance),
            "paid": "yes" if chance.random() < 0.06 else "",
        }
        for number, (cadence, due_date) in enumerate(loans, start=1)
    ]


def _amount(currency: str, chance: random.Random) -> str:
    scale = {"COP": 1500, "INR": 40}.get(currency, 1)
    return f"{chance.randint(40, 900) * scale}.00"


def _share_phones(made: list[dict[str, str]], chance: random.Random) -> None:
    """Six pairs of borrowers have one number: whoever answers it is reached by both reminders."""
    by_place: dict[str, list[dict[str, str]]] = {}
    for row in made:
        if row["phone"] and row["loan_id"].endswith("-1"):
            by_place.setdefault(row["zone"] + row["country"], []).append(row)
    crowded = [group for group in by_place.values() if len(group) >= 4]
    for group in crowded[:6]:
        first, second = chance.sample(group, 2)
        for row in made:
            if row["borrower_ref"] == second["borrower_ref"]:
                row["phone"] = first["phone"]


def write(path: Path, seed: int = 7) -> list[dict[str, str]]:
    """Write the book as CSV and return its rows."""
    made = rows(seed)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(made)
    return made


def last_day() -> date:
    """The last business day that the demo steps through."""
    return (BEGIN + timedelta(days=DAYS)).date()
