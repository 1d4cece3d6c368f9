"""Every zone a country uses: where a borrower may be when only the country is known."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from babel.core import get_global

from services.policy.facts import CandidateZone

# Zones whose clocks agree at all these instants are one for us: the United States have 29 names
# and 9 clocks.  Two years show every rule of summer time once in each direction, and again.
_PROBES = tuple(
    datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=6 * step) for step in range(4 * 731)
)


@cache
def zones_of_country(country: str) -> tuple[CandidateZone, ...]:
    """All different clocks of an ISO 3166-1 country; empty for a country nobody knows (CLDR)."""
    clocks: dict[tuple[timedelta | None, ...], str] = {}
    for name in sorted(get_global("territory_zones").get(country.upper(), ())):
        zone = ZoneInfo(name)
        clocks.setdefault(tuple(probe.astimezone(zone).utcoffset() for probe in _PROBES), name)
    return tuple(CandidateZone(zone=name, basis="country") for name in sorted(clocks.values()))
