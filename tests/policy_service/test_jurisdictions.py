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
