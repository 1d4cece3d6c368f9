"""Which packs may govern a borrower, by place: reads jurisdictions.yaml."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).with_name("jurisdictions.yaml")

Places = Mapping[str, tuple[str, ...]]


@cache
def load(path: Path = SHIPPED) -> Places:
    """Place → pack ids; a place is "US", "US-MA" or "US-NY/New York City"."""
    listed: dict[str, Any] = yaml.safe_load(path.read_text())["places"]
    return {_folded(place): tuple(packs or ()) for place, packs in listed.items()}


def named(country: str, subdivision: str | None, city: str | None) -> str:
    """The place as the table writes it, as far as it is known."""
    whole = f"{country}-{subdivision}" if subdivision else country
    return f"{whole}/{city}" if subdivision and city else whole


def packs_of(
    places: Places, country: str, subdivision: str | None, city: str | None
) -> tuple[str, ...]:
    """The packs of every entry that contains the place, or may: where the subdivision or the city
    is not known, those of all there are, for what is unknown never loosens.  None: the borrower is
    held, as where a country has no rules of its own and the subdivision is not known.
    """
    whole = places.get(_folded(country), ())
    if not subdivision:
        within = _folded(f"{country}-")
        return _once(whole, *_beginning(places, within)) if whole else ()
    there = _folded(f"{country}-{subdivision}")
    cities = (
        [places.get(f"{there}/{_folded(city)}", ())] if city else _beginning(places, f"{there}/")
    )
    return _once(whole, places.get(there, ()), *cities)


def _beginning(places: Places, words: str) -> list[tuple[str, ...]]:
    return [packs for place, packs in places.items() if place.startswith(words)]


def _once(*found: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pack for packs in found for pack in packs))


def _folded(place: str) -> str:
    return place.casefold()
