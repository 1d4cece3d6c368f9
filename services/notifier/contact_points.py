"""What others are told of a contact point: never its address, and that it is of no use any more."""

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

import msgspec

from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.deliveries import ContactPointChanged
from services.events.loans import CandidateZone
from services.events.words import Place, PointKind, ProvidedBy
from services.notifier.choose import CHANNELS_OF
from services.notifier.store import SOURCE, Row
from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("contact_points.sql"))


def changed(
    tenant: str,
    borrower_id: UUID,
    point_id: str,
    *,
    version: int,
    kind: PointKind,
    country: str | None,
    zones: object,
    usable: bool,
    place: Place,
    provided_by: ProvidedBy,
    now: datetime,
) -> Record:
    """The record of one version of what others may know of a contact point."""
    return encode(
        ContactPointChanged(
            tenant=tenant,
            borrower_id=borrower_id,
            contact_point_id=point_id,
            version=version,
            kind=kind,
            channels=CHANNELS_OF[kind],
            country=country,
            zones=msgspec.convert(zones, tuple[CandidateZone, ...]),
            usable=usable,
            place=place,
            provided_by=provided_by,
        ),
        source=SOURCE,
        key=borrower_key(tenant, borrower_id),
        event_id=derived_id("contact_point", tenant, borrower_id, point_id, version),
        time=now,
    )


async def spoil(
    connection: Connection, points: Sequence[tuple[str, str, str]], now: datetime
) -> list[Record]:
    """Providers said that these (tenant, contact point, code) don't exist: tell everybody."""
    if not points:
        return []
    spoiled = await connection.fetch(SQL["spoil"], *map(list, zip(*points, strict=True)))
    return await _told_to_all(connection, spoiled, now)


async def revive(
    connection: Connection, points: Collection[tuple[str, str]], now: datetime
) -> list[Record]:
    """Somebody wrote from these, or a lender gave them anew: those given up are tried again."""
    if not points:
        return []
    revived = await connection.fetch(SQL["revive"], *map(list, zip(*points, strict=True)))
    return await _told_to_all(connection, revived, now)


async def _told_to_all(
    connection: Connection, points: Sequence[Row], now: datetime
) -> list[Record]:
    """A new version of what is known of these, for every borrower who has one."""
    rows = await connection.fetch(
        SQL["raise_versions"],
        [row["tenant"] for row in points],
        [row["contact_point_id"] for row in points],
    )
    return [
        changed(
            row["tenant"],
            row["borrower_id"],
            row["contact_point_id"],
            version=row["version"],
            kind=PointKind(row["kind"]),
            country=row["country"],
            zones=row["zones"],
            usable=row["usable"],
            place=row["place"],
            provided_by=row["provided_by"],
            now=now,
        )
        for row in rows
    ]
