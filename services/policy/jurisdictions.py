"""Which packs may govern a borrower, by place: reads jurisdictions.yaml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

SHIPPED = Path(__file__).with_name("jurisdictions.yaml")

Places = Mapping[str, tuple[str, ...]]


def load(path: Path = SHIPPED) -> Places:
    """Place → pack ids; a place is "US", "US-MA" or "US-NY/New York City"."""
    listed: dict[str, Any] = yaml.safe_load(path.read_text())["places"]
    return {_folded(place): tuple(packs or ()) for place, packs in listed.items()}


def packs_of(
    places: Places, country: str, subdivision: str | None, city: str | None
) -> tuple[str, ...]:
    """The packs of every entry that contains the place; none: the borrower is held."""
    names = [country]
    if subdivision:
        names.append(f"{country}-{subdivision}")
        if city:
            names.append(f"{country}-{subdivision}/{city}")
    return tuple(dict.fromkeys(pack for name in names for pack in places.get(_folded(name), ())))


def _folded(place: str) -> str:
    return place.casefold()
