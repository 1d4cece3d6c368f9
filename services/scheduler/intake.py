"""Record a lender's facts, from whichever door they came: each group wholly or not at all.

The order in which facts come doesn't matter: versions and payment ids decide, and what hangs on a
fact that isn't here yet waits in its own table.  `refresh` then makes of them what follows.
"""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar, assert_never
from uuid import UUID

import msgspec

from services.events.codec import Record, borrower_key, derived_id, encode
from services.events.loans import (
    BorrowerChanged,
    BorrowerRegistered,
    InstallmentScheduled,
    LoanClosed,
    LoanRegistered,
    RepaymentReceived,
    RepaymentReversed,
)
from services.runtime import outbox
from services.runtime.database import Connection
from services.runtime.identity import surrogate
from services.runtime.web import FieldError
from services.scheduler import store
from services.scheduler.cadence import Cadence
from services.scheduler.checks import faults
from services.scheduler.conflicts import Fact, Standing
from services.scheduler.keys import BorrowerKey, InstallmentKey, LoanKey, PaymentKey
from services.scheduler.refresh import SOURCE, refresh

F = TypeVar("F", bound=Fact)
V = TypeVar("V", BorrowerRegistered, LoanRegistered, InstallmentScheduled, LoanClosed)


class Status(StrEnum):
    """What became of a group of facts."""

    RECORDED = "recorded"
    UNCHANGED = "unchanged"  # known already, or older than what is known
    REJECTED = "rejected"


class Outcome(NamedTuple):
    """The answer for one group; `errors` with a rejection only."""

    status: Status
    errors: tuple[FieldError, ...] = ()


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What recording needs beside a connection."""

    identity_key: bytes
    cadences: Mapping[str, Cadence]


async def record(
    context: Context, connection: Connection, groups: Sequence[Sequence[Fact]], now: datetime
) -> list[Outcome]:
    """Record each group wholly or not at all; answers in the groups' order."""
    rejected: dict[int, tuple[FieldError, ...]] = {}
    sound: dict[int, list[tuple[UUID, Fact]]] = {}
    for number, group in enumerate(groups):
        if found := faults_of(context, group, now):
            rejected[number] = found
        else:
            sound[number] = [(_borrower_id(context, fact), fact) for fact in group]
    known = await _lock(connection, [member for group in sound.values() for member in group])
    for number, members in sound.items():
        if contradictions := known.accept(members):
            rejected[number] = tuple(contradictions)
    accepted = [m for n, members in sound.items() if n not in rejected for m in members]
    changed = await _save(context, connection, accepted, now) if accepted else set()
    return [
        Outcome(Status.REJECTED, rejected[number])
        if number in rejected
        else Outcome(Status.RECORDED)
        if any(_key(*member) in changed for member in sound[number])
        else Outcome(Status.UNCHANGED)
        for number in range(len(groups))
    ]


def faults_of(context: Context, group: Sequence[Fact], now: datetime) -> tuple[FieldError, ...]:
    """What is wrong with the facts of a group taken alone, each kind of error once."""
    found = (error for fact in group for error in faults(fact, cadences=context.cadences, now=now))
    return tuple(dict.fromkeys(found))


def _borrower_id(context: Context, fact: Fact) -> UUID:
    return surrogate(context.identity_key, fact.tenant, "borrower", fact.borrower_ref)


async def _lock(connection: Connection, members: Sequence[tuple[UUID, Fact]]) -> Standing:
    """Lock the borrowers, then read what the facts could contradict."""
    await store.lock_borrowers(connection, (BorrowerKey(f.tenant, b) for b, f in members))
    facts = [fact for _, fact in members if not isinstance(fact, BorrowerRegistered)]
    loans = {LoanKey(fact.tenant, fact.loan_id) for fact in facts}
    payments = {
        PaymentKey(fact.tenant, fact.payment_id)
        for fact in facts
        if isinstance(fact, RepaymentReceived | RepaymentReversed)
    }
    return Standing(
        await store.known_loans(connection, loans) if loans else {},
        await store.known_payments(connection, payments) if payments else {},
    )


async def _save(
    context: Context,
    connection: Connection,
    members: Sequence[tuple[UUID, Fact]],
    now: datetime,
) -> set[Hashable]:
    """Write the facts and what follows; answers the keys (as `_key`) of those that were news."""
    people = [
        (borrower_id, _household_id(context, fact), fact)
        for borrower_id, fact in _highest(_of(members, BorrowerRegistered))
    ]
    loans = _highest(_of(members, LoanRegistered))
    closures = _highest(_of(members, LoanClosed))
    installments = _highest(_of(members, InstallmentScheduled))
    payments = _first(_of(members, RepaymentReceived))
    reversals = _first(_of(members, RepaymentReversed))

    new_people = await store.record_borrowers(connection, people) if people else set()
    new_loans = await store.record_loans(connection, loans) if loans else set()
    new_closures = await store.record_closures(connection, closures) if closures else set()
    new_installments = (
        await store.record_installments(connection, installments) if installments else set()
    )
    new_payments = await store.record_payments(connection, payments) if payments else {}
    new_reversals = await store.record_reversals(connection, reversals) if reversals else {}

    told = [entry for entry in people if BorrowerKey(entry[2].tenant, entry[0]) in new_people]
    await outbox.put(connection, [_borrower_record(*entry, now) for entry in told])
    concerned = {*new_installments, *new_payments.values(), *new_reversals.values()}
    if new_loans or new_closures:
        concerned |= await store.installments_of_loans(connection, new_loans | new_closures)
    if new_people:
        concerned |= await store.unpaid_installments_of_borrowers(connection, new_people)
    await refresh(connection, concerned, context.cadences, now)
    return {
        *((BorrowerRegistered, key) for key in new_people),
        *((LoanRegistered, key) for key in new_loans),
        *((LoanClosed, key) for key in new_closures),
        *((InstallmentScheduled, key) for key in new_installments),
        *((RepaymentReceived, key) for key in new_payments),
        *((RepaymentReversed, key) for key in new_reversals),
    }


def _key(borrower_id: UUID, fact: Fact) -> tuple[type[Fact], Hashable]:
    """What the fact is about: two facts of one key are versions of each other."""
    match fact:
        case BorrowerRegistered():
            return type(fact), BorrowerKey(fact.tenant, borrower_id)
        case LoanRegistered() | LoanClosed():
            return type(fact), LoanKey(fact.tenant, fact.loan_id)
        case InstallmentScheduled():
            number = fact.installment_number
            return type(fact), InstallmentKey(fact.tenant, fact.loan_id, number)
        case RepaymentReceived() | RepaymentReversed():
            return type(fact), PaymentKey(fact.tenant, fact.payment_id)
    assert_never(fact)


def _of(members: Sequence[tuple[UUID, Fact]], kind: type[F]) -> list[tuple[UUID, F]]:
    return [(borrower_id, fact) for borrower_id, fact in members if isinstance(fact, kind)]


def _highest(members: Sequence[tuple[UUID, V]]) -> list[tuple[UUID, V]]:
    """One a key: an upsert can't touch a row twice.  Of equal versions the first."""
    best: dict[Hashable, tuple[UUID, V]] = {}
    for borrower_id, fact in members:
        there = best.setdefault(_key(borrower_id, fact), (borrower_id, fact))
        if fact.version > there[1].version:
            best[_key(borrower_id, fact)] = (borrower_id, fact)
    return list(best.values())


def _first(members: Sequence[tuple[UUID, F]]) -> list[tuple[UUID, F]]:
    return list({_key(*member): member for member in reversed(members)}.values())


def _household_id(context: Context, fact: BorrowerRegistered) -> UUID | None:
    if fact.household_ref is None:
        return None
    return surrogate(context.identity_key, fact.tenant, "household", fact.household_ref)


def _borrower_record(
    borrower_id: UUID, household_id: UUID | None, fact: BorrowerRegistered, now: datetime
) -> Record:
    event = BorrowerChanged(
        tenant=fact.tenant,
        borrower_id=borrower_id,
        version=fact.version,
        country=fact.country,
        subdivision=fact.subdivision,
        city=fact.city,
        zones=fact.zones,
        household_id=household_id,
    )
    return encode(
        event,
        source=SOURCE,
        key=borrower_key(fact.tenant, borrower_id),
        event_id=derived_id("borrower", fact.tenant, borrower_id, fact.version),
        time=now,
    )
