"""What is known of the borrowers of one batch: a handful of statements, whatever its size."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from services.policy.facts import (
    CandidateZone,
    Consent,
    Duty,
    Entry,
    Notice,
    Preference,
    RecurringHours,
    Stop,
)
from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("queries.sql"))
LEDGER_SQL = queries.load(Path(__file__).with_name("queries_ledger.sql"))

Row = Any  # an asyncpg.Record, whose columns are named in queries.sql
Who = tuple[str, UUID]  # tenant, borrower
Where = tuple[str, str]  # tenant, contact point
Installment = tuple[str, str, int]  # tenant, loan, number
Loans = tuple[str, ...]  # which of the borrower's; empty: all


class Known(msgspec.Struct, kw_only=True):
    """Rows by their keys, as they were at `now`; bookings made since are added to `contacts`."""

    now: datetime
    borrowers: dict[Who, Row]
    members: dict[tuple[str, UUID], list[UUID]]  # of a household, the borrower included
    points: dict[Who, list[Row]]
    debts: dict[Installment, Row]
    stops: dict[Who, dict[UUID, Stop]]
    point_stops: dict[Where, dict[UUID, Stop]]
    consents: dict[Who, list[Consent]]
    preferences: dict[Who, list[Preference]]
    notices: dict[Who, list[tuple[Loans, Notice]]]
    duties: dict[Who, list[tuple[Loans, Duty]]]
    contacts: dict[Who, list[Entry]]
    shared: dict[Where, list[tuple[UUID, Entry]]]  # what others were sent there; whose it was
    zones: dict[Who, tuple[CandidateZone, ...]] = {}  # where they may be, as far as it was asked


async def load(
    connection: Connection,
    now: datetime,
    whom: Iterable[Who],
    installments: Iterable[Installment],
    *,
    back: timedelta,
    own: frozenset[UUID] = frozenset(),
) -> Known:
    """Everything about these borrowers, their households and those who share their contact points.

    Of the contacts all of the time `back`, in which rules count them; of the borrowers' earlier
    ones the latest of each sort, for rules ask whether there was any.
    Entries and stops from after `now` (a clock set back) count as of `now`: they exist.  `own` are
    bookings that will have to be told apart from the rest: their entries carry their id.
    """
    ids = list({borrower: None for _, borrower in whom})
    borrowers = {
        (row["tenant"], row["borrower_id"]): row
        for row in await connection.fetch(SQL["borrowers_of"], ids)
    }
    points: dict[Who, list[Row]] = defaultdict(list)
    for row in await connection.fetch(SQL["points_of"], ids):
        points[row["tenant"], row["borrower_id"]].append(row)
    owned = [row for rows in points.values() for row in rows]
    known = Known(
        now=now,
        borrowers=borrowers,
        members=await _members(connection, borrowers.values()),
        points=points,
        debts=await _debts(connection, installments),
        stops=defaultdict(dict),
        point_stops=defaultdict(dict),
        consents=defaultdict(list),
        preferences=defaultdict(list),
        notices=defaultdict(list),
        duties=defaultdict(list),
        contacts=defaultdict(list),
        shared=defaultdict(list),
    )
    await _add_stops(connection, known, ids, [row["contact_point_id"] for row in owned])
    for row in await connection.fetch(SQL["consents_of"], ids):
        known.consents[row["tenant"], row["borrower_id"]].append(_consent(row, now))
    for row in await connection.fetch(SQL["preferences_of"], ids):
        known.preferences[row["tenant"], row["borrower_id"]].append(_preference(row, now))
    for row in await connection.fetch(SQL["notices_of"], ids):
        known.notices[row["tenant"], row["borrower_id"]].append((_loans(row), _notice(row)))
    for row in await connection.fetch(SQL["duties_of"], ids):
        known.duties[row["tenant"], row["borrower_id"]].append((_loans(row), _duty(row)))
    shared = {(row["tenant"], row["contact_point_id"]) for row in owned if row["shared"]}
    await _add_contacts(connection, known, ids, shared, now - back, own)
    return known


async def _members(
    connection: Connection, borrowers: Iterable[Row]
) -> dict[tuple[str, UUID], list[UUID]]:
    homes = {(row["tenant"], row["household_id"]) for row in borrowers if row["household_id"]}
    if not homes:
        return {}
    members: dict[tuple[str, UUID], list[UUID]] = defaultdict(list)
    for row in await connection.fetch(SQL["members_of"], [home for _, home in homes]):
        members[row["tenant"], row["household_id"]].append(row["borrower_id"])
    return members


async def _debts(
    connection: Connection, installments: Iterable[Installment]
) -> dict[Installment, Row]:
    keys = list(dict.fromkeys(installments))
    rows = await connection.fetch(
        SQL["debts_of"], [k[0] for k in keys], [k[1] for k in keys], [k[2] for k in keys]
    )
    return {(row["tenant"], row["loan_id"], row["installment_number"]): row for row in rows}


async def _add_stops(
    connection: Connection, known: Known, ids: list[UUID], points: list[str]
) -> None:
    for row in await connection.fetch(SQL["stops_of"], ids, points):
        stop = _stop(row, known.now)
        if row["owner"]:
            known.stops[row["tenant"], row["owner"]][row["stop_id"]] = stop
        for point in row["contact_point_ids"]:
            known.point_stops[row["tenant"], point][row["stop_id"]] = stop


async def _add_contacts(
    connection: Connection,
    known: Known,
    ids: list[UUID],
    shared: set[Where],
    since: datetime,
    own: frozenset[UUID],
) -> None:
    everybody = {*ids, *(member for members in known.members.values() for member in members)}
    rows = await connection.fetch(
        LEDGER_SQL["contacts_of"],
        list(everybody),
        [point for _, point in shared],
        since,
        list(own),
        known.now,
    )
    now, last = known.now, None
    for row in rows:
        # Unpacked, and looked up once a borrower: this is done for every contact they have had.
        (
            tenant,
            borrower_id,
            named,
            point,
            channel,
            direction,
            at,
            outcome,
            loan,
            account,
            creditor,
            purpose,
            more,
        ) = row
        entry = Entry(
            at=at if at < now else now,
            channel=channel,
            outcome=outcome,
            id=str(named) if named is not None else None,
            direction=direction,
            debts=(loan,) if loan is not None else None,
            account=account,
            creditor=creditor,
            contact_point=point,
            purpose=purpose,
        )
        if more is not None:
            entry = msgspec.structs.replace(entry, **_more(more))
        if (tenant, borrower_id) != last:
            last = (tenant, borrower_id)
            entries = known.contacts[last] if borrower_id in everybody else None
        if entries is not None:
            entries.append(entry)
        if shared and direction != "inbound" and (tenant, point) in shared:
            known.shared[tenant, point].append((borrower_id, entry))


def _more(stored: dict[str, Any]) -> dict[str, Any]:
    """The rarer parts of an entry, under the names that facts v1 give them."""
    named = {("class_" if name == "class" else name): part for name, part in stored.items()}
    for name in ("debts", "allocated_to"):
        if name in named:
            named[name] = tuple(named[name])
    return named


def _stop(row: Row, now: datetime) -> Stop:
    return Stop(
        kind=row["kind"],
        received=min(row["received_at"], now),
        form=row["form"],
        from_=row["from_date"],
        until=row["until_date"],
        ended=row["ended_at"],
        debts=tuple(row["loan_ids"]) or None,
        channels=frozenset(row["channels"]) or None,
        contact_points=tuple(row["contact_point_ids"]) or None,
        purposes=frozenset(row["purposes"]) or None,
        places=frozenset(row["places"]) or None,
        persons=tuple(row["persons"]) or None,
        basis_ended=row["basis_ended"],
    )


def _consent(row: Row, now: datetime) -> Consent:
    revoked = row["revoked_at"]
    return Consent(
        to=row["kind"],
        received=row["received_at"],
        given_to=row["given_to"],
        form=row["form"],
        channels=frozenset(row["channels"]) or None,
        contact_points=tuple(row["contact_point_ids"]) or None,
        debts=tuple(row["loan_ids"]) or None,
        until=row["until_date"],
        revoked=min(revoked, now) if revoked else None,
        hours=_hours(row),
    )


def _hours(row: Row) -> RecurringHours | None:
    if row["from_clock"] is None:
        return None
    return RecurringHours(from_=row["from_clock"], to=row["to_clock"], days=row["days"])


def _preference(row: Row, now: datetime) -> Preference:
    received = row["received_at"]
    return Preference(
        kind=row["kind"],
        from_=row["from_clock"],
        to=row["to_clock"],
        days=row["days"],
        zone=row["zone"],
        received=min(received, now) if received else None,
        withdrawn=row["withdrawn_at"],
    )


def _loans(row: Row) -> Loans:
    return tuple(row["loan_ids"])


def _notice(row: Row) -> Notice:
    return Notice(
        kind=row["kind"],
        sent=row["sent_at"],
        returned=row["returned_at"] is not None,
        period_ends=row["period_ends"],
    )


def _duty(row: Row) -> Duty:
    return Duty(kind=row["kind"], since=row["since"] or row["since_date"], done=row["done_at"])
