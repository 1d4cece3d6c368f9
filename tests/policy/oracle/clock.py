"""Instants and what clocks show: text to UTC, UTC to a zone's date."""

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

Map = dict[str, Any]


class ZoneUnknown(Exception):
    """A local date is needed and there is no zone to read it in."""


@lru_cache(maxsize=100_000)
def instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


@lru_cache(maxsize=100_000)
def local(t: datetime, zone: str) -> datetime:
    return t.astimezone(ZoneInfo(zone))


def local_date(t: datetime, zone: str | None) -> date:
    if zone is None:
        raise ZoneUnknown
    return local(t, zone).date()
