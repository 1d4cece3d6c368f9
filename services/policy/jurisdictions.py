"""Which packs may govern a borrower, by place: reads jurisdictions.yaml."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).with_name("jurisdictions.yaml")

Places = Mapping[str, tuple[str, ...]]
Place = tuple[str, str | None, str | None]  # country, subdivision, city


@cache
def load(path: Path = SHIPPED) -> Places:
    """Place → pack ids; a place is "US", "US-MA" or "US-NY/New York City", by each of its names."""
    table: dict[str, Any] = yaml.safe_load(path.read_text())
    places = {_folded(place): tuple(packs or ()) for place, packs in table["places"].items()}
    for city, names in table["also_called"].items():
        there = city.partition("/")[0]
        places |= {_folded(f"{there}/{name}"): places[_folded(city)] for name in names}
    return places


def named(country: str, subdivision: str | None, city: str | None) -> str:
    """The place as the table writes it, as far as it is known."""
    parts = [" ".join((part or "").split()) for part in (subdivision, city)]
    whole = f"{country}-{parts[0]}" if parts[0] else country
    return f"{whole}/{parts[1]}" if all(parts) else whole


def packs_of(
    places: Places, country: str, subdivision: str | None, city: str | None
) -> tuple[str, ...]:
    """The packs of every entry that contains the place, or may: where the subdivision or the city
    is not known, those of all there are, for what is unknown never loosens.  None: the borrower is
    held, as where a country has no rules of its own and the subdivision is not known.
    """
    known, within = _known_and_within(places, country, subdivision, city)
    return _once(known, within) if known else ()


def governing(
    places: Places, active: Collection[str], country: str, subdivision: str | None, city: str | None
) -> tuple[str, ...]:
    """Those of `packs_of` that are active.  None unless one of them is of the part of the place
    that is known: who may live elsewhere is not judged by the law of one state, or city, alone.
    """
    known, within = _known_and_within(places, country, subdivision, city)
    if not any(pack in active for pack in known):
        return ()
    return tuple(pack for pack in _once(known, within) if pack in active)


def asked(
    places: Places, active: Collection[str], country: str, subdivision: str | None, city: str | None
) -> tuple[str, ...]:
    """The active packs that are asked of a borrower there: those that govern, and beside them those
    of no place.  House rules and a tenant's own are no law of a place, and hold in all.
    """
    found = governing(places, active, country, subdivision, city)
    placed = {pack for packs in places.values() for pack in packs}
    return (*found, *(pack for pack in active if pack not in placed)) if found else ()


def everywhere(places: Places) -> Iterator[Place]:
    """A place for every set of packs that may govern together: each of the table, and in each
    country and subdivision one that the table doesn't have ("US-other", "US-NY/other").
    """
    for place in places:
        above, _, city = place.partition("/")
        country, _, subdivision = above.upper().partition("-")
        yield country, subdivision or None, city.title() or None
        if not city:
            yield country, subdivision or "other", "other" if subdivision else None


def _known_and_within(
    places: Places, country: str, subdivision: str | None, city: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The packs of the entries that contain the place; those of all that it may be in besides."""
    whole = places.get(_folded(country), ())
    state = _folded(subdivision or "")
    if not state:
        return whole, _beginning(places, _folded(f"{country}-"))
    there = _folded(f"{country}-{state}")
    around = _once(whole, places.get(there, ()))
    addressed = _addressed(city or "", state)
    if not addressed:
        return around, _beginning(places, f"{there}/")
    return _once(around, places.get(f"{there}/{addressed}", ())), ()


def _addressed(city: str, subdivision: str) -> str:
    """The city alone, of what stands in an address: "Brooklyn, NY", "Brooklyn NY"."""
    return _folded(city.partition(",")[0]).removesuffix(f" {subdivision}")


def _beginning(places: Places, words: str) -> tuple[str, ...]:
    return _once(*(packs for place, packs in places.items() if place.startswith(words)))


def _once(*found: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(pack for packs in found for pack in packs))


def _folded(place: str) -> str:
    """As it is compared: " N.Y.C. " is "nyc"; nothing if it is blank."""
    return " ".join(place.replace(".", "").casefold().split())
