"""What is wrong with a fact taken alone, contradictions, zones and the balance: pure."""

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.events.base import Event
from services.events.loans import CandidateZone, SourceWatermark
from services.events.words import Basis, Outcome
from services.scheduler.checks import currencies, digits, faults, language_tag
from services.scheduler.ledger import Tally, balance
from services.scheduler.places import UTC_ZONE, clock_zones, countries, zones_of_country
from tests.scheduler.builders import (
    NOW,
    borrower,
    closed,
    installment,
    loan,
    payment,
    reversal,
)

CADENCES = {"standard"}


def zone(name: str) -> CandidateZone:
    return CandidateZone(zone=name, basis=Basis.ADDRESS)


WATERMARK = SourceWatermark(tenant="acme", source="core", as_of=NOW)


@pytest.mark.parametrize(
    "fact", [borrower(), loan(), installment(), payment(), reversal(), closed(), WATERMARK]
)
def test_a_sound_fact_has_no_faults(fact: Event) -> None:
    assert list(faults(fact, cadences=CADENCES, now=NOW)) == []


@pytest.mark.parametrize(
    ("fact", "change", "field"),
    [
        (borrower(), {"country": "Utopia"}, "country"),
        (borrower(), {"country": "EU"}, "country"),
        (borrower(), {"locale": "xx-YY"}, "locale"),
        (borrower(), {"version": 2**60}, "version"),
        (borrower(), {"zones": (zone("EST5EDT"),)}, "zones[0].zone"),
        (borrower(), {"zones": (zone("../etc/x"),)}, "zones[0].zone"),
        (borrower(), {"zones": borrower().zones * 41}, "zones"),
        (loan(), {"currency": "XXX"}, "currency"),
        (loan(), {"currency": "DEM"}, "currency"),
        (loan(), {"cadence": "harsh"}, "cadence"),
        (installment(), {"due_date": date(2126, 1, 1)}, "due_date"),
        (installment(), {"due_date": date(1, 1, 1)}, "due_date"),
        (installment(), {"installment_number": 0}, "installment_number"),
        (installment(), {"installment_number": 2**40}, "installment_number"),
        (payment(), {"amount_minor": 0}, "amount_minor"),
        (payment(), {"received_at": NOW + timedelta(days=2)}, "received_at"),
        (reversal(), {"installment_number": -1}, "installment_number"),
        (closed(), {"version": -1}, "version"),
        (WATERMARK, {"as_of": NOW + timedelta(days=2)}, "as_of"),
        (WATERMARK, {"bound_seconds": 0}, "bound_seconds"),
    ],
)  # fmt: skip
def test_a_fault_names_its_field_and_a_fix(fact: Event, change: dict[str, Any], field: str) -> None:
    wrong = msgspec.structs.replace(fact, **change)
    [error] = faults(wrong, cadences=CADENCES, now=NOW)
    assert error.field == field
    assert error.fix


def test_currencies_have_their_own_digits() -> None:
    assert {"USD", "CNY", "INR", "JPY", "KWD", "BRL"} <= currencies()
    assert [digits(code) for code in ("USD", "JPY", "KWD")] == [2, 0, 3]


@pytest.mark.parametrize(
    ("told", "tag"),
    [
        ("pt_BR", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("zh_CN", "zh-CN"),
        ("zh_hans_cn", "zh-Hans-CN"),
        ("ES", "es"),
        ("es_MX.UTF-8", "es-MX"),
        ("es-419", "es-419"),
        ("en", "en"),
    ],
)
def test_a_locale_is_kept_as_the_tag_by_which_templates_are_found(told: str, tag: str) -> None:
    assert language_tag(told) == tag
    assert language_tag(tag) == tag


def test_every_country_that_has_a_zone_has_it_among_ours() -> None:
    assert {"US", "CN", "IN", "BR", "GB", "ZA"} <= countries()
    assert [z.zone for z in zones_of_country("IN")] == ["Asia/Kolkata"]
    assert len(zones_of_country("US")) > 5


def test_the_lenders_zones_win_then_the_contact_points_then_the_countrys() -> None:
    address = (zone("Asia/Tokyo"),)
    phone = (CandidateZone(zone="Europe/Paris", basis=Basis.PHONE_PREFIX),)
    assert [z.key for z in clock_zones(address, phone, "IN")] == ["Asia/Tokyo"]
    assert [z.key for z in clock_zones((), phone, "IN")] == ["Europe/Paris"]
    assert [z.key for z in clock_zones((), (), "IN")] == ["Asia/Kolkata"]
    assert clock_zones((), (), "ZZ") == (UTC_ZONE,)


def test_a_confirmed_zone_supersedes_the_others() -> None:
    both = (
        zone("Asia/Tokyo"),
        CandidateZone(zone="Europe/Paris", basis=Basis.CONFIRMED),
    )
    assert [z.key for z in clock_zones(both, (), "IN")] == ["Europe/Paris"]


tallies = st.builds(
    Tally,
    status=st.sampled_from(["planned", "due", *Outcome]),
    reason=st.sampled_from([None, "paid", "opt_out"]),
    emitted=st.booleans(),
    number=st.integers(0, 50),
)


@given(rows=st.lists(tallies, max_size=12), off=st.integers(-3, 3))
def test_the_book_balances_exactly_if_every_emitted_reminder_is_in_one_place(
    rows: list[Tally], off: int
) -> None:
    emitted = sum(row.number for row in rows if row.emitted)
    ledger = balance(rows, emitted + off)
    assert ledger.balanced == (off == 0)
    apart = ledger.planned + sum(ledger.withdrawn.values())
    assert apart == sum(row.number for row in rows if not row.emitted)
