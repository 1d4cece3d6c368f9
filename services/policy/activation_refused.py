"""How a change of the rules is refused: the field, what is wrong, and the fix."""

from collections.abc import Iterable
from datetime import datetime

from services.runtime.web import FieldError, Problem, invalid


def because(field: str, problems: Iterable[object], fix: str) -> Problem:
    """Several things are wrong with it; each is said."""
    errors = [FieldError(field, str(problem), fix) for problem in problems]
    return Problem(422, "invalid", f"{field} has {len(errors)} error(s)", errors)


def unless_two_people(by: str, approved_by: str) -> None:
    """Raises Problem if one person asks and approves."""
    if not by.strip() or not approved_by.strip():
        raise invalid("by", "or approved_by is empty", "name both people")
    if by.strip().casefold() == approved_by.strip().casefold():
        raise invalid("approved_by", "is the same person as by", "have somebody else approve it")


def unless_past(field: str, instant: datetime, now: datetime) -> None:
    """Raises Problem if it is before now: what was in force, and until when, is not rewritten."""
    if instant.tzinfo is None:
        raise invalid(field, "has no time zone", "write UTC: 2026-06-01T00:00:00Z")
    if instant < now:
        raise invalid(field, f"is before now, {now:%FT%TZ}", "leave it out for now; the past stays")
