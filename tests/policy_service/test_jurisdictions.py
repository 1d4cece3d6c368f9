"""Which packs may govern where: what is not known of a place never loosens."""

import pytest

from services.policy import jurisdictions

PLACES = jurisdictions.load()


def packs(country: str, subdivision: str | None = None, city: str | None = None) -> set[str]:
    return set(jurisdictions.packs_of(PLACES, country, subdivision, city))


@pytest.mark.parametrize(
    ("place", "governing"),
    [
        (("US", "MA", "Boston"), {"us-fed", "us-tcpa", "us-ma"}),
        (("US", "WY"), {"us-fed", "us-tcpa"}),  # has no entry
        (("US", "NY", "Buffalo"), {"us-fed", "us-tcpa", "us-ny"}),
        (("US", "NY", "new york city"), {"us-fed", "us-tcpa", "us-ny", "us-nyc"}),
        (("US", "NY", "Brooklyn"), {"us-fed", "us-tcpa", "us-ny", "us-nyc"}),
        (("US", "NY"), {"us-fed", "us-tcpa", "us-ny", "us-nyc"}),
        (("CA", "ON"), {"ca-on"}),
        (("CA",), set()),  # no rules of the country's own: the province must be known
        (("ZZ",), set()),
    ],
)
def test_a_place_has_the_packs_of_all_that_contains_it(
    place: tuple[str, ...], governing: set[str]
) -> None:
    assert packs(*place) == governing


def test_without_its_subdivision_a_place_has_the_packs_of_every_one() -> None:
    everywhere = {name for place, own in PLACES.items() if place.startswith("us") for name in own}
    assert packs("US") == everywhere
    assert {"us-ma", "us-nyc", "us-tx"} < everywhere


def governing(active: str, *place: str | None) -> set[str]:
    country, subdivision, city = (*place, None, None)[:3]
    found = jurisdictions.governing(PLACES, active.split(), country or "", subdivision, city)
    return set(found)


@pytest.mark.parametrize(
    ("active", "place", "asked"),
    [
        ("us-ma", ("US", "TX"), ""),
        ("us-ma", ("US",), ""),  # who may live in Texas
        ("us-ma us-fed", ("US",), "us-fed us-ma"),
        ("us-ma", ("US", "MA"), "us-ma"),
        ("us-nyc", ("US", "NY"), ""),  # who may live in Buffalo
        ("us-nyc us-ma", ("US",), ""),
        ("us-nyc us-ny", ("US", "NY"), "us-ny us-nyc"),
        ("us-nyc us-ny", ("US",), ""),
        ("us-nyc", ("US", "NY", "Brooklyn"), "us-nyc"),
        ("ca-on", ("CA",), ""),
        ("ca-on", ("CA", "ON"), "ca-on"),
        ("us-fed", ("ZZ",), ""),
    ],
)
def test_what_a_place_may_be_in_adds_to_a_pack_of_what_it_is_in_and_never_stands_alone(
    active: str, place: tuple[str, ...], asked: str
) -> None:
    assert governing(active, *place) == set(asked.split())
