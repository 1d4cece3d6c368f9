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


@pytest.mark.parametrize(
    "city",
    [
        *("Brooklyn ", " new york city", "New  York", "NEW YORK", "NYC", "N.Y.", "The Bronx"),
        *("New York, NY", "New York, New York", "Brooklyn,NY", "Brooklyn NY", "Bronx, N.Y. 10451"),
        *("Flushing", "Jamaica", "astoria", "Long Island City", "Far Rockaway", "St. Albans"),
        *("Roosevelt Island", "Floral Park", "New Hyde Park"),  # the last two cross the city's line
    ],
)
def test_new_york_city_is_known_as_letters_are_addressed_there(city: str) -> None:
    assert "us-nyc" in packs("US", "NY", city)


@pytest.mark.parametrize("city", ["Buffalo", "Buffalo, NY", "Buffalo, New York", "Yonkers NY"])
def test_other_cities_of_the_state_have_none_of_its_packs(city: str) -> None:
    assert packs("US", "NY", city) == {"us-fed", "us-tcpa", "us-ny"}


def test_a_city_of_that_name_elsewhere_is_another() -> None:
    assert packs("US", "MA", "Brooklyn") == {"us-fed", "us-tcpa", "us-ma"}


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u00a0", ", NY"])
def test_a_city_that_is_blank_is_not_known(blank: str) -> None:
    assert packs("US", "NY", blank) == packs("US", "NY")
    assert governing("us-nyc", "US", "NY", blank) == set()


def test_a_subdivision_that_is_blank_is_not_known_and_blanks_around_it_are_nothing() -> None:
    assert packs("US", " ") == packs("US")
    assert packs("US", " ny ", "Flushing") == packs("US", "NY", "Flushing")


def test_what_is_kept_of_a_place_is_what_is_known_of_it() -> None:
    assert jurisdictions.named("US", "NY", " New  York ") == "US-NY/New York"
    assert jurisdictions.named("US", "NY", " ") == "US-NY"
    assert jurisdictions.named("US", " ", "Albany") == "US"


@pytest.mark.parametrize(
    "place",
    [
        *(("US", None, None), ("US", "WY", None), ("US", "MA", "Boston"), ("US", "NY", None)),
        *(
            ("US", "NY", "Buffalo"),
            ("US", "NY", "Astoria"),
            ("CA", "ON", None),
            ("GB", "ENG", None),
        ),
    ],
)
def test_everywhere_has_a_place_of_each_set_of_packs(place: jurisdictions.Place) -> None:
    asked = {jurisdictions.packs_of(PLACES, *each) for each in jurisdictions.everywhere(PLACES)}
    assert jurisdictions.packs_of(PLACES, *place) in asked
