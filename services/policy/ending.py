"""A pack's versions end, because another begins or nobody wants the pack: what is called off."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("queries_activation.sql"))


class CalledOff(msgspec.Struct, frozen=True, kw_only=True):
    """What was scheduled and no longer is: that a version begins, or that the pack ends."""

    what: Literal["begin", "end"]
    version: str
    at: datetime  # when it would have been
    by: str  # who had asked for it
    approved_by: str
    reason: str | None


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """From when on a pack no longer decides."""

    at: datetime
    decides: bool  # until then; no: every version that ends was only scheduled
    called_off: tuple[CalledOff, ...]


async def end(
    connection: Connection,
    tenant: str,
    pack: str,
    at: datetime,
    people: tuple[str, str],
    reason: str | None = None,
) -> Ending | None:
    """End a pack's versions at an instant; those that would begin later never do.  None if there
    are none.  The caller has `one_change_at_a_time`."""
    rows = await connection.fetch(SQL["end"], tenant, pack, at, *people, reason)
    if not rows:
        return None
    return Ending(
        at=at,
        decides=not all(row["never_begins"] for row in rows),
        called_off=tuple(_called_off(rows)),
    )


def _called_off(rows: Iterable[Any]) -> Iterable[CalledOff]:
    for row in sorted(rows, key=lambda row: row["active_from"]):
        if row["never_begins"]:
            yield CalledOff(
                what="begin",
                version=row["version"],
                at=row["active_from"],
                by=row["requested_by"],
                approved_by=row["approved_by"],
                reason=None,
            )
        if row["was_the_end"]:
            yield CalledOff(
                what="end",
                version=row["version"],
                at=row["ended_at"],
                by=row["ended_by"],
                approved_by=row["end_approved_by"],
                reason=row["end_reason"],
            )
