"""Stops, consents, preferences, notices and duties: recorded, lifted, revoked, done.

They bind when the transaction commits: it holds the locks of every subject they concern.
"""

import hashlib
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple, assert_never
from uuid import UUID

import msgspec

from services.events.notices import DutyArisen, NoticeSent
from services.events.stops import (
    ConsentGiven,
    ConsentRevoked,
    PreferenceStated,
    StopLifted,
    StopRecorded,
)
from services.policy import known
from services.policy.locks import borrower_subject, lock, point_subject
from services.policy.stop_lifters import MAY_LIFT
from services.policy.stop_problems import StopEvent
from services.runtime.database import Connection
from services.runtime.web import FieldError

SQL = known.SQL

# The lender's reference of a borrower → the surrogate id.
Identify = Callable[[str, str], UUID]

# Kept as they are told.
_Kept = ConsentGiven | PreferenceStated | NoticeSent | DutyArisen
# Those that name whom they concern; the others name what they end.
_Named = StopRecorded | _Kept


class _How(NamedTuple):
    """How it is kept: its id's field, the one field that may be told later, and the fields that
    follow tenant, id and borrower in its statement."""

    noun: str
    later: str | None
    fields: tuple[str, ...]


# fmt: off
_KEPT: dict[type[_Kept], _How] = {
    ConsentGiven: _How("consent", None, (
        "to", "given_to", "received_at", "form", "until_date", "loan_ids", "channels",
        "contact_point_ids", "from_clock", "to_clock", "days", "source",
    )),
    PreferenceStated: _How("preference", "withdrawn_at", (
        "kind", "from_clock", "to_clock", "days", "zone", "received_at", "withdrawn_at",
    )),
    NoticeSent: _How("notice", "returned_at", (
        "kind", "sent_at", "returned_at", "period_ends", "loan_ids", "source",
    )),
    DutyArisen: _How("duty", "done_at", (
        "kind", "since", "since_date", "done_at", "loan_ids", "source",
    )),
}
# fmt: on


class Refused(Exception):
    """Well formed, but not to be recorded; nothing was written."""

    def __init__(self, problem: FieldError) -> None:
        super().__init__()
        self.problem = problem


class MayNotLift(Refused):
    """The stop ends on somebody else's word."""

    def __init__(self, words: Iterable[str]) -> None:
        fix = f"this stop ends on the word of: {', '.join(words)}"
        super().__init__(FieldError("on_word_of", "does not end this stop", fix))


class IdTaken(Refused):
    """Something else was told under this id."""

    def __init__(self, field: str) -> None:
        fix = "take a new id: what was told under this one stands as it was told"
        super().__init__(FieldError(field, "was used for something else", fix))


async def record(connection: Connection, identify: Identify, event: StopEvent) -> bool:
    """Under the locks; False if what is to be lifted or revoked is not known (yet): it is kept,
    and binds as soon as the other arrives.  A repeat changes nothing.

    Raises MayNotLift where a known stop does not end on this word, and IdTaken where the id was
    used for something else; nothing is written then.
    """
    match event:
        case StopRecorded():
            return await _stop(connection, identify, event)
        case StopLifted():
            return await _lift(connection, event)
        case ConsentRevoked():
            row = await connection.fetchrow(SQL["consent_subjects"], event.tenant, event.consent_id)
            if row:
                await _lock(connection, event.tenant, row["borrower_id"], ())
            await connection.execute(
                SQL["end_consent"], event.tenant, event.consent_id, event.revoked_at
            )
            return row is not None
        case ConsentGiven() | PreferenceStated() | NoticeSent() | DutyArisen():
            return await _keep(connection, identify, event)
        case _:
            assert_never(event)


async def lock_all(connection: Connection, identify: Identify, events: Iterable[object]) -> None:
    """Take the locks of a whole batch at once, so that no two batches wait in a circle."""
    subjects: list[str] = []
    for event in events:
        if isinstance(event, _Named):
            if (who := _who(identify, event)) is not None:
                subjects.append(borrower_subject(event.tenant, who))
            if isinstance(event, StopRecorded):
                subjects += [point_subject(event.tenant, p) for p in event.contact_point_ids]
    await lock(connection, subjects)


async def _stop(connection: Connection, identify: Identify, stop: StopRecorded) -> bool:
    who = _who(identify, stop)
    points = list(dict.fromkeys(stop.contact_point_ids))
    told = _digest(stop, who)
    await _lock(connection, stop.tenant, who, points)
    await connection.execute(
        SQL["record_stop"],
        stop.tenant,
        stop.stop_id,
        who,
        stop.kind,
        stop.received_at.astimezone(UTC),
        stop.form,
        stop.from_date,
        stop.until_date,
        list(stop.loan_ids),
        list(stop.channels),
        points,
        list(stop.purposes),
        list(stop.places),
        list(stop.persons),
        stop.basis_ended,
        stop.source,
        stop.evidence,
        list(stop.may_lift or MAY_LIFT[stop.kind]),  # type: ignore[index]  # checked before
        told,
    )
    await _unless_otherwise(connection, "stop", stop.tenant, stop.stop_id, told)
    await connection.execute(SQL["record_stop_points"], stop.tenant, stop.stop_id, points)
    return True


async def _lift(connection: Connection, lift: StopLifted) -> bool:
    row = await connection.fetchrow(SQL["stop_subjects"], lift.tenant, lift.stop_id)
    if row:
        if lift.on_word_of not in row["may_lift"]:
            raise MayNotLift(row["may_lift"])
        await _lock(connection, lift.tenant, row["borrower_id"], row["contact_point_ids"])
    await connection.execute(
        SQL["end_stop"],
        lift.tenant,
        lift.stop_id,
        lift.ended_at,
        lift.lifted_by,
        lift.on_word_of,
        lift.evidence,
    )
    return row is not None


async def _keep(connection: Connection, identify: Identify, event: _Kept) -> bool:
    who = _who(identify, event)
    await _lock(connection, event.tenant, who, ())
    how = _KEPT[type(event)]
    known_id = getattr(event, f"{how.noun}_id")
    told = _digest(event, who, how.later)
    values = (getattr(event, field) for field in how.fields)
    await connection.execute(SQL[f"record_{how.noun}"], event.tenant, known_id, who, *values, told)
    await _unless_otherwise(connection, how.noun, event.tenant, known_id, told)
    return True


async def _unless_otherwise(
    connection: Connection, noun: str, tenant: str, known_id: UUID, told: bytes
) -> None:
    before = await connection.fetchval(SQL[f"{noun}_told"], tenant, known_id)
    if before is not None and before != told:
        raise IdTaken(f"{noun}_id")


def _digest(event: _Named, who: UUID | None, later: str | None = None) -> bytes:
    """Of what is told, however the borrower, instants and lists are written; without what is not
    told, so that a field that a later version adds changes no digest."""
    said = {
        field.name: _plain(getattr(event, field.name))
        for field in msgspec.structs.fields(event)
        if getattr(event, field.name) != field.default
        and field.name not in ("borrower_ref", "borrower_id", later)
    }
    return hashlib.sha256(msgspec.json.encode({**said, "who": who}, order="sorted")).digest()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return sorted(set(value)) if isinstance(value, tuple) else value


async def _lock(
    connection: Connection, tenant: str, who: UUID | None, points: Iterable[str]
) -> None:
    subjects = [point_subject(tenant, point) for point in points]
    if who is not None:
        subjects.append(borrower_subject(tenant, who))
    await lock(connection, subjects)


def _who(identify: Identify, event: _Named) -> UUID | None:
    if event.borrower_id is not None or event.borrower_ref is None:
        return event.borrower_id
    return identify(event.tenant, event.borrower_ref)
