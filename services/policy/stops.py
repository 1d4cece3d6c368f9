"""Stops, consents, preferences, notices and duties: recorded, lifted, revoked, done.

They bind when the transaction commits: it holds the locks of every subject they concern.
"""

from collections.abc import Callable, Iterable
from datetime import UTC
from typing import assert_never
from uuid import UUID

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

# Those that name whom they concern; the others name what they end.
_Named = StopRecorded | ConsentGiven | PreferenceStated | NoticeSent | DutyArisen


class MayNotLift(Exception):
    """The stop ends on somebody else's word."""

    def __init__(self, words: Iterable[str]) -> None:
        super().__init__()
        fix = f"this stop ends on the word of: {', '.join(words)}"
        self.problem = FieldError("on_word_of", "does not end this stop", fix)


async def record(connection: Connection, identify: Identify, event: StopEvent) -> bool:
    """Under the locks; False if what is to be lifted or revoked is not known (yet): it is kept,
    and binds as soon as the other arrives.  A repeat changes nothing.

    Raises MayNotLift, with nothing written, where a known stop does not end on this word.
    """
    match event:
        case StopRecorded():
            return await _stop(connection, identify, event)
        case StopLifted():
            return await _lift(connection, event)
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
        case NoticeSent():
            return await _notice(connection, identify, event)
        case DutyArisen():
            return await _duty(connection, identify, event)
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
        list(stop.may_lift or MAY_LIFT[stop.kind]),  # type: ignore[index]  # checked before
    )
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


async def _notice(connection: Connection, identify: Identify, notice: NoticeSent) -> bool:
    who = _who(identify, notice)
    await _lock(connection, notice.tenant, who, ())
    await connection.execute(
        SQL["record_notice"],
        notice.tenant,
        notice.notice_id,
        who,
        notice.kind,
        notice.sent_at,
        notice.returned_at,
        notice.period_ends,
        list(notice.loan_ids),
        notice.source,
    )
    return True


async def _duty(connection: Connection, identify: Identify, duty: DutyArisen) -> bool:
    who = _who(identify, duty)
    await _lock(connection, duty.tenant, who, ())
    await connection.execute(
        SQL["record_duty"],
        duty.tenant,
        duty.duty_id,
        who,
        duty.kind,
        duty.since,
        duty.since_date,
        duty.done_at,
        list(duty.loan_ids),
        duty.source,
    )
    return True


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
