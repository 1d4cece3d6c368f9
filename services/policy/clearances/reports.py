"""What happened, as a dialer, an agent desk, a field team or another collector tells it.

It enters the same ledger, counts against the same caps from this moment on, however late it is
told, and takes the place of its clearance's reservation.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Any, get_args
from uuid import UUID

import msgspec

from services.events.base import Instant, Text
from services.events.codec import derived_id
from services.policy import words
from services.policy.clearances.filed import SQL, give_back, missing
from services.policy.known import LEDGER_SQL, Row
from services.policy.locks import borrower_subject, lock, point_subject
from services.runtime.database import Connection, Pool, repeating, transaction
from services.runtime.web import FieldError, Problem, invalid

# A clock that runs ahead by less is corrected; by more, the report is a mistake.
CLOCK_SKEW = timedelta(minutes=5)

INBOUND = frozenset({"message", "conversation", "voicemail_left"})

_encode = msgspec.json.Encoder(order="deterministic").encode


class Report(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One contact that happened, by the names of facts v1; persons by role or pseudonym."""

    contact_id: UUID
    borrower_ref: Text
    channel: words.Channel
    outcome: words.Outcome
    at: Instant
    loan_ids: Annotated[tuple[Text, ...], msgspec.Meta(max_length=50)] = ()
    clearance_id: UUID | None = None
    direction: words.Direction = "outbound"
    purpose: words.Purpose | None = None
    person: Text | None = None  # who else it reached, by role or pseudonym; none: the borrower
    place: words.Place = "personal"
    class_: words.Class = msgspec.field(default="ordinary", name="class")
    contact_point_id: Text | None = None
    collector: Text | None = None
    creditor: Text | None = None
    technology: words.Technology | None = None
    event: Text | None = None
    consented: bool = False
    in_reply_to: UUID | None = None
    requests_contact: bool = False
    allocated_to: Annotated[tuple[Text, ...], msgspec.Meta(max_length=50)] = ()
    people_present: Annotated[tuple[Text, ...], msgspec.Meta(max_length=20)] = ()
    note_ref: Text | None = None  # a reference into the lender's own file, never its text


def problems(report: Report) -> list[FieldError]:
    """What is wrong with it by itself."""
    found = []
    if report.outcome == "reserved":
        allowed = ", ".join(word for word in get_args(words.Outcome) if word != "reserved")
        found.append(FieldError("outcome", "has not happened", f"use one of: {allowed}"))
    if report.direction == "inbound" and report.outcome not in INBOUND:
        found.append(FieldError("outcome", "is no inbound one", f"use {sorted(INBOUND)}"))
    if report.direction == "outbound" and report.outcome == "message":
        found.append(FieldError("outcome", "is inbound only", "use sent or delivered"))
    if report.direction == "inbound" and report.clearance_id is not None:
        fix = "leave it out: what comes to us needs none"
        found.append(FieldError("clearance_id", "stands beside an inbound contact", fix))
    if set(report.allocated_to) - set(report.loan_ids):
        fix = "allocate to some of loan_ids"
        found.append(FieldError("allocated_to", "names a loan it was not about", fix))
    return found


async def record(db: Pool, tenant: str, borrower_id: UUID, report: Report) -> dict[str, Any]:
    """Idempotent by contact_id; raises Problem, and then nothing has changed."""
    if wrong := problems(report):
        said = "; ".join(f"{p.field} {p.problem}" for p in wrong)
        raise Problem(422, "invalid", said, wrong)
    digest = hashlib.sha256(
        _encode([borrower_id, msgspec.structs.replace(report, borrower_ref="-")])
    ).digest()

    async def once() -> dict[str, Any]:
        async with transaction(db) as connection:
            return await _once(connection, tenant, borrower_id, report, digest)

    return await repeating(once)


async def _once(
    connection: Connection, tenant: str, borrower_id: UUID, report: Report, digest: bytes
) -> dict[str, Any]:
    subjects = {borrower_subject(tenant, borrower_id)}
    if report.contact_point_id is not None:
        subjects.add(point_subject(tenant, report.contact_point_id))
    await lock(connection, subjects)
    clocks = await connection.fetchrow(LEDGER_SQL["clocks"])
    assert clocks is not None
    now = clocks["gate_now"]
    if report.at > now + CLOCK_SKEW:
        raise invalid("at", "lies in the future", "report what has happened, in UTC")
    entry = derived_id("contact", tenant, report.contact_id)
    filed = await _filed(connection, tenant, borrower_id, report)
    new = await connection.fetchval(
        SQL["report"],
        tenant,
        report.contact_id,
        entry,
        borrower_id,
        report.clearance_id,
        digest,
        list(report.people_present),
        report.note_ref,
        min(report.at, now),
        now,
    )
    if new is None:
        before = await connection.fetchrow(SQL["reported"], tenant, report.contact_id)
        if before is None or before["digest"] != digest:
            fix = "use a new id for another contact"
            wrong = FieldError("contact_id", "is taken", fix)
            raise Problem(409, "id_taken", "this contact_id was used before", [wrong])
        return _answer(report, before["at"], before["reported_at"], known=True)
    await _enter(connection, tenant, borrower_id, report, entry, now, clocks["real_now"])
    if filed is not None and report.clearance_id is not None:
        await give_back(connection, tenant, report.clearance_id)
        await connection.execute(SQL["move"], tenant, report.clearance_id, "reported", now)
    return _answer(report, min(report.at, now), now, known=False)


async def _filed(
    connection: Connection, tenant: str, borrower_id: UUID, report: Report
) -> Row | None:
    """The clearance it was made under; what was not cleared is reported, and counts, without."""
    if report.clearance_id is None:
        return None
    filed = await connection.fetchrow(SQL["clearance"], tenant, report.clearance_id)
    if filed is None:
        raise missing()
    if filed["borrower_id"] != borrower_id:
        raise invalid("clearance_id", "is another borrower's", "name this contact's own, or none")
    if filed["channel"] != report.channel and filed["channel"] == "visit":
        fix = "report the visit itself, even if nobody was met"
        raise invalid("channel", "is not the clearance's", fix)
    return filed


async def _enter(
    connection: Connection,
    tenant: str,
    borrower_id: UUID,
    report: Report,
    entry: UUID,
    now: datetime,
    real_now: datetime,
) -> None:
    debts = await connection.fetch(SQL["installments"], tenant, list(report.loan_ids))
    own = [row for row in debts if row["borrower_id"] == borrower_id]
    one = report.loan_ids[0] if len(report.loan_ids) == 1 else None
    await connection.execute(
        SQL["enter"],
        tenant,
        entry,
        borrower_id,
        report.contact_point_id,
        report.channel,
        report.direction,
        min(report.at, now),
        report.outcome,
        real_now,
        one,
        own[0]["account"] if one and own else None,
        report.creditor or (own[0]["creditor"] if one and own else None),
        report.purpose,
        report.clearance_id,
        await _more(connection, tenant, borrower_id, report) or None,
    )


async def _more(
    connection: Connection, tenant: str, borrower_id: UUID, report: Report
) -> dict[str, object]:
    """The parts that have no column, by the names of facts v1; what is the default is left out."""
    answers = None
    if report.in_reply_to is not None:
        told = derived_id("contact", tenant, report.in_reply_to)
        here = derived_id("reply", report.in_reply_to, borrower_id)
        answers = await connection.fetchval(
            SQL["answered_entry"], tenant, borrower_id, [told, here]
        )
        if answers is None:
            fix = "report the inbound contact first"
            raise invalid("in_reply_to", "is no inbound contact on record", fix)
    more: dict[str, object] = {
        "debts": list(report.loan_ids) if len(report.loan_ids) > 1 else None,
        "allocated_to": list(report.allocated_to) or None,
        "person": None if report.person == "debtor" else report.person,
        "place": None if report.place == "personal" else report.place,
        "class": None if report.class_ == "ordinary" else report.class_,
        "collector": report.collector,  # without one it counts as anybody's
        "technology": report.technology,
        "event": report.event,
        "consented": report.consented or None,
        "in_reply_to": str(answers) if answers else None,
        "requests_contact": report.requests_contact or None,
    }
    return {name: value for name, value in more.items() if value is not None}


def _answer(report: Report, at: datetime, now: datetime, *, known: bool) -> dict[str, Any]:
    return {
        "contact_id": report.contact_id,
        "recorded": True,
        "known": known,
        "cleared": report.clearance_id is not None,
        "at": at,
        "reported_at": now,
    }
