"""Stops, consents and preferences: checked against the closed lists, recorded, lifted.

They bind when the transaction commits: it holds the locks of every subject they concern.
"""

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import assert_never, get_args
from uuid import UUID

from services.events.stops import (
    ConsentGiven,
    ConsentRevoked,
    PreferenceStated,
    StopLifted,
    StopRecorded,
)
from services.policy import known, words
from services.policy.locks import borrower_subject, lock, point_subject
from services.policy.values import clock_problem, days_problem, zone_problem
from services.runtime.database import Connection
from services.runtime.web import FieldError

SQL = known.SQL

StopEvent = StopRecorded | StopLifted | ConsentGiven | ConsentRevoked | PreferenceStated
# The lender's reference of a borrower → the surrogate id.
Identify = Callable[[str, str], UUID]

STOP_KINDS = get_args(words.StopKind)
FORMS = get_args(words.Form)
CHANNELS = get_args(words.ChannelOrGroup)
PURPOSES = get_args(words.Purpose)
CONSENT_KINDS = get_args(words.ConsentKind)
GIVERS = get_args(words.GivenTo)
PREFERENCE_KINDS = get_args(words.PreferenceKind)


def problems(event: StopEvent) -> list[FieldError]:
    """What is wrong with it, by field; empty: it can be recorded.  Never quotes a value."""
    match event:
        case StopRecorded():
            found = [
                _one_of("kind", event.kind, STOP_KINDS),
                _one_of("form", event.form, FORMS),
                *_each_of("channels", event.channels, CHANNELS),
                *_each_of("purposes", event.purposes, PURPOSES),
                _somebody(event.borrower_ref, event.borrower_id, event.contact_point_ids),
                _in_order(event),
            ]
        case ConsentGiven():
            found = [
                _one_of("to", event.to, CONSENT_KINDS),
                _one_of("given_to", event.given_to, GIVERS),
                _one_of("form", event.form, FORMS),
                *_each_of("channels", event.channels, CHANNELS),
                _somebody(event.borrower_ref, event.borrower_id, ()),
            ]
        case PreferenceStated():
            found = [
                _one_of("kind", event.kind, PREFERENCE_KINDS),
                _said("from_clock", clock_problem(event.from_clock), "write '08:00'"),
                _said("to_clock", clock_problem(event.to_clock), "write '18:00'"),
                _said("days", days_problem(event.days), "write daily, mon or mon-fri"),
                _zone(event.zone),
                _somebody(event.borrower_ref, event.borrower_id, ()),
                _not_empty(event),
            ]
        case StopLifted() | ConsentRevoked():
            found = []
        case _:
            assert_never(event)
    return [problem for problem in found if problem is not None]


async def record(connection: Connection, identify: Identify, event: StopEvent) -> bool:
    """Under the locks; False if what is to be lifted or revoked is not known (yet): it is kept,
    and binds as soon as the other arrives.  A repeat changes nothing."""
    match event:
        case StopRecorded():
            return await _stop(connection, identify, event)
        case StopLifted():
            row = await connection.fetchrow(SQL["stop_subjects"], event.tenant, event.stop_id)
            if row:
                points = row["contact_point_ids"]
                await _lock(connection, event.tenant, row["borrower_id"], points)
            await connection.execute(
                SQL["end_stop"], event.tenant, event.stop_id, event.ended_at, event.lifted_by
            )
            return row is not None
        case ConsentGiven():
            return await _consent(connection, identify, event)
        case ConsentRevoked():
            row = await connection.fetchrow(SQL["consent_subjects"], event.tenant, event.consent_id)
            if row:
                await _lock(connection, event.tenant, row["borrower_id"], ())
            await connection.execute(
                SQL["end_consent"], event.tenant, event.consent_id, event.revoked_at
            )
            return row is not None
        case PreferenceStated():
            return await _preference(connection, identify, event)
        case _:
            assert_never(event)


async def lock_all(connection: Connection, identify: Identify, events: Iterable[object]) -> None:
    """Take the locks of a whole batch at once, so that no two batches wait in a circle."""
    subjects: list[str] = []
    for event in events:
        if isinstance(event, StopRecorded | ConsentGiven | PreferenceStated):
            if (who := _who(identify, event)) is not None:
                subjects.append(borrower_subject(event.tenant, who))
            if isinstance(event, StopRecorded):
                subjects += [point_subject(event.tenant, p) for p in event.contact_point_ids]
    await lock(connection, subjects)


async def _stop(connection: Connection, identify: Identify, stop: StopRecorded) -> bool:
    who = _who(identify, stop)
    points = list(dict.fromkeys(stop.contact_point_ids))
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
        stop.source,
        stop.evidence,
    )
    await connection.execute(SQL["record_stop_points"], stop.tenant, stop.stop_id, points)
    return True


async def _consent(connection: Connection, identify: Identify, consent: ConsentGiven) -> bool:
    who = _who(identify, consent)
    await _lock(connection, consent.tenant, who, ())
    await connection.execute(
        SQL["record_consent"],
        consent.tenant,
        consent.consent_id,
        who,
        consent.to,
        consent.given_to,
        consent.received_at,
        consent.form,
        consent.until_date,
        list(consent.loan_ids),
        list(consent.channels),
        list(consent.contact_point_ids),
        consent.source,
    )
    return True


async def _preference(connection: Connection, identify: Identify, stated: PreferenceStated) -> bool:
    who = _who(identify, stated)
    await _lock(connection, stated.tenant, who, ())
    await connection.execute(
        SQL["record_preference"],
        stated.tenant,
        stated.preference_id,
        who,
        stated.kind,
        stated.from_clock,
        stated.to_clock,
        stated.days,
        stated.zone,
        stated.received_at,
        stated.withdrawn_at,
    )
    return True


async def _lock(
    connection: Connection, tenant: str, who: UUID | None, points: Iterable[str]
) -> None:
    subjects = [point_subject(tenant, point) for point in points]
    if who is not None:
        subjects.append(borrower_subject(tenant, who))
    await lock(connection, subjects)


def _who(identify: Identify, event: StopRecorded | ConsentGiven | PreferenceStated) -> UUID | None:
    if event.borrower_id is not None or event.borrower_ref is None:
        return event.borrower_id
    return identify(event.tenant, event.borrower_ref)


def _one_of(field: str, value: str | None, words: tuple[str, ...]) -> FieldError | None:
    if value is None or value in words:
        return None
    return FieldError(field, "is not a word we know", f"use one of: {', '.join(words)}")


def _each_of(
    field: str, values: tuple[str, ...], words: tuple[str, ...]
) -> list[FieldError | None]:
    return [_one_of(f"{field}[{i}]", value, words) for i, value in enumerate(values)]


def _somebody(
    ref: str | None, borrower_id: UUID | None, points: tuple[str, ...]
) -> FieldError | None:
    if ref and borrower_id:
        return FieldError("borrower_ref", "stands beside borrower_id", "give one of the two")
    if ref or borrower_id or points:
        return None
    return FieldError("borrower_ref", "is missing: it concerns nobody", "name the borrower")


def _in_order(stop: StopRecorded) -> FieldError | None:
    if stop.from_date and stop.until_date and stop.until_date < stop.from_date:
        return FieldError("until_date", "is before from_date", "give the last day, not an earlier")
    return None


def _not_empty(stated: PreferenceStated) -> FieldError | None:
    if stated.from_clock == stated.to_clock:
        return FieldError("to_clock", "equals from_clock", "give the time at which it ends")
    return None


def _said(field: str, problem: str | None, fix: str) -> FieldError | None:
    return FieldError(field, "is not as it should be", fix) if problem else None


def _zone(name: str | None) -> FieldError | None:
    if name is None or zone_problem(name) is None:
        return None
    return FieldError("zone", "is not an IANA time zone", "write one such as America/New_York")
