"""Which zones may a borrower be in, from what the lender says of the place.  Pure tables."""

from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel.core import get_global

from services.events.loans import CandidateZone
from services.events.words import Basis

UTC_ZONE = ZoneInfo("UTC")

# CLDR lists territories that are no country of ISO 3166-1: regions of the world, and exceptions.
_NO_COUNTRIES = frozenset({"AC", "CP", "CQ", "DG", "EA", "EU", "EZ", "IC", "TA", "UN", "XK", "ZZ"})


@cache
def zone_names() -> frozenset[str]:
    """Every IANA zone this installation knows, without the ones that name no place."""
    return frozenset(
        name for name in available_timezones() if "/" in name and not name.startswith("Etc/")
    )


@cache
def countries() -> frozenset[str]:
    """ISO 3166-1 alpha-2, as CLDR has it."""
    listed = set(get_global("territory_currencies")) | set(get_global("territory_zones"))
    return frozenset(
        code
        for code in listed
        if len(code) == 2 and code.isalpha() and code.isupper() and code not in _NO_COUNTRIES
    )


@cache
def zones_of_country(country: str) -> tuple[CandidateZone, ...]:
    """All zones of a country: where only the country is known, each of them is plausible."""
    names = get_global("territory_zones").get(country, ())
    return tuple(
        CandidateZone(zone=name, basis=Basis.COUNTRY)
        for name in sorted(names)
        if name in zone_names()
    )


@lru_cache(maxsize=8_192)
def clock_zones(
    given: tuple[CandidateZone, ...], contact_points: tuple[CandidateZone, ...], country: str
) -> tuple[ZoneInfo, ...]:
    """Whose clocks make the hour: the lender's zones, else the contact points', else the country's.

    A confirmed zone supersedes the others (rules.md section 2).  A country without any zone falls
    back on UTC, so that the reminder falls due, is held by policy for want of a zone, and is seen.
    """
    candidates = given or contact_points or zones_of_country(country)
    confirmed = [c.zone for c in candidates if c.basis == Basis.CONFIRMED]
    names = sorted(set(confirmed or [c.zone for c in candidates]) & zone_names())
    return tuple(ZoneInfo(name) for name in names) or (UTC_ZONE,)
