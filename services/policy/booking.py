"""Bookings in the contact ledger: made, moved, released, and remembered within a batch."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from services.events.permits import Redeem, Redeemed
from services.policy import known
from services.policy.asked import Asked
from services.policy.decisions import Made
from services.policy.facts import Entry
from services.policy.known import Known
from services.policy.words import Place
from services.runtime import log
from services.runtime.database import Connection

SQL = known.LEDGER_SQL

# Beyond these an attempt has left: it gets no second permit.
MOVABLE = frozenset({"reserved", "cancelled"})


async def release(connection: Connection, redeems: Sequence[Redeem]) -> None:
    """Finished attempts of the same reminder give their place back, before anything is counted."""
    released = [(r.tenant, attempt, r.reminder_id) for r in redeems for attempt in r.releases]
    if released:
        await connection.execute(
            SQL["release"],
            [tenant for tenant, _, _ in released],
            [attempt for _, attempt, _ in released],
            [reminder for _, _, reminder in released],
        )


class Booking(NamedTuple):
    """What an earlier asking of an attempt had booked; `epoch` names that asking."""

    outcome: str
    epoch: int | None
    ended: bool  # the notifier told that nothing was sent: no asking comes any more, but a late one


async def existing(
    connection: Connection, redeems: Sequence[Redeem]
) -> dict[tuple[str, UUID], Booking]:
    """The bookings these attempts already have."""
    rows = await connection.fetch(SQL["bookings"], [r.attempt_id for r in redeems])
    return {
        (row["tenant"], row["contact_id"]): Booking(row["outcome"], row["epoch"], row["ended"])
        for row in rows
    }


def forget(facts: Known, r: Redeem) -> None:
    """Leave an attempt's own booking out of what is counted."""
    own = str(r.attempt_id)
    entries = facts.contacts.get((r.tenant, r.borrower_id))
    if entries and any(entry.id == own for entry in entries):
        entries[:] = [entry for entry in entries if entry.id != own]
    there = facts.shared.get((r.tenant, r.contact_point_id))
    if there and any(entry.id == own for _, entry in there):
        there[:] = [(owner, entry) for owner, entry in there if entry.id != own]


def remember(facts: Known, asked: Asked, r: Redeem, place: Place) -> None:
    """What was allowed counts for everybody later in the same batch."""
    entry = Entry(
        at=facts.now,
        channel=r.channel.value,
        outcome="reserved",
        id=str(r.attempt_id),
        debts=(r.loan_id,),
        account=asked.terms.account,
        creditor=asked.terms.creditor,
        contact_point=r.contact_point_id,
        place=place,
        purpose=asked.purpose,
    )
    facts.contacts.setdefault((r.tenant, r.borrower_id), []).append(entry)
    facts.shared.setdefault((r.tenant, r.contact_point_id), []).append((r.borrower_id, entry))


async def book(
    connection: Connection,
    allowed: Sequence[tuple[Asked, Redeem, Place]],
    now: datetime,
    real_now: datetime,
) -> None:
    """A row a permit; a repeat moves its own."""
    if allowed:
        await connection.execute(
            SQL["book"],
            [r.tenant for _, r, _ in allowed],
            [r.attempt_id for _, r, _ in allowed],
            [r.borrower_id for _, r, _ in allowed],
            [r.contact_point_id for _, r, _ in allowed],
            [r.channel.value for _, r, _ in allowed],
            [r.loan_id for _, r, _ in allowed],
            [asked.terms.account for asked, _, _ in allowed],
            [asked.terms.creditor for asked, _, _ in allowed],
            [asked.purpose for asked, _, _ in allowed],
            [r.reminder_id for _, r, _ in allowed],
            [place for _, _, place in allowed],
            now,
            real_now,
        )


async def permit(
    connection: Connection,
    given: Sequence[tuple[Redeem, Redeemed, Made]],
    real_now: datetime,
    gate_now: datetime,
) -> None:
    """The yes itself, with its deadline and the rule set it was given under."""
    if given:
        await connection.execute(
            SQL["permit"],
            [r.tenant for r, _, _ in given],
            [r.attempt_id for r, _, _ in given],
            [answer.permit_id for _, answer, _ in given],
            [r.reminder_id for r, _, _ in given],
            [r.emission for r, _, _ in given],
            [made.last.decision_id for _, _, made in given],
            [made.rule_set for _, _, made in given],
            [answer.send_by for _, answer, _ in given],
            [answer.allowed_until for _, answer, _ in given],
            [r.epoch for r, _, _ in given],
            real_now,
            gate_now,
        )


async def cancel(connection: Connection, refused: Sequence[Redeem]) -> None:
    """A repeat that is refused gives back what its first asking had booked."""
    if refused:
        await connection.execute(
            SQL["cancel_bookings"], [r.tenant for r in refused], [r.attempt_id for r in refused]
        )


def log_failure(r: Redeem, error: Exception) -> None:
    """The class only: an exception's text may quote a fact."""
    log.get().error(
        "redeem_failed",
        tenant=r.tenant,
        attempt_id=str(r.attempt_id),
        error=type(error).__name__,
    )
