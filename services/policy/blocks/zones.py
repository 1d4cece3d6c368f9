"""Which of the zones where the borrower may be a rule uses (rules.md section 2)."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from services.policy.blocks.localtime import Zone, zone
from services.policy.facts import CandidateZone
from services.policy.strict import Invalid, Path, known_keys, read, shown
from services.policy.values import ZoneName
from services.policy.words import BASES

if TYPE_CHECKING:
    from services.policy.question import Question

Zones = tuple[Zone, ...]


class ZonePolicy(str):
    """`every_candidate`, `best_evidence`, or the name of the one fixed zone."""

    __slots__ = ()

    @classmethod
    def read(cls, value: object, path: Path) -> "ZonePolicy":
        if value in ("every_candidate", "best_evidence"):
            return cls(value)
        if not isinstance(value, dict):
            text = (
                f"is {shown(value)}; use every_candidate, best_evidence or {{fixed: Asia/Shanghai}}"
            )
            raise Invalid(path, text)
        given = known_keys(value, ("fixed",), path)
        if "fixed" not in given:
            raise Invalid(path, "must name the zone: {fixed: Asia/Shanghai}")
        return cls(read(ZoneName, given["fixed"], (*path, "fixed")))


EVERY_CANDIDATE = ZonePolicy("every_candidate")


def chosen(policy: ZonePolicy) -> "Callable[[Question], Zones]":
    """The function that picks the zones a rule uses; none means that nobody knows where the
    borrower is.
    """
    if policy == "every_candidate":
        return lambda question: question.zones
    if policy == "best_evidence":
        return lambda question: question.best_zones
    fixed = zone(policy).alone
    return lambda question: fixed


def candidates(listed: tuple[CandidateZone, ...]) -> tuple[Zones, Zones]:
    """All zones to be reckoned with, and those of the strongest basis; raises UnknownZone."""
    if len(listed) == 1:
        alone = zone(listed[0].zone).alone
        return alone, alone
    return _candidates(listed)


@lru_cache(maxsize=10_000)
def _candidates(listed: tuple[CandidateZone, ...]) -> tuple[Zones, Zones]:
    bases = {candidate.basis for candidate in listed}
    strongest = next((basis for basis in BASES if basis in bases), None)
    best = _distinct(c.zone for c in listed if c.basis == strongest)
    # A confirmed zone supersedes the others.
    every = best if strongest == "confirmed" else _distinct(c.zone for c in listed)
    return every, best


def _distinct(names: Iterable[str]) -> Zones:
    return tuple(zone(name) for name in dict.fromkeys(names))
