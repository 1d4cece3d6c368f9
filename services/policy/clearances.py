"""Clearances: may I?, reserved until it ends; redeemed when the contact is made; or given back.

Asked and redeemed under the same locks as a message's hand-off, and counted in the same ledger.
"""

import hashlib
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec

from services.events.codec import derived_id
from services.policy import activation, clearing, decisions, known, visits
from services.policy.clearing import Cleared, Question, Scene
from services.policy.decide import Reason
from services.policy.feeds import feeds
from services.policy.known import Row
from services.policy.locks import (
    SubjectsChanged,
    borrower_subject,
    household_subject,
    lock,
    point_subject,
    repeating,
)
from services.policy.rulesets import RuleSets
from services.policy.verdict import Outcome
from services.runtime import queries
from services.runtime.database import Connection, Pool, transaction
from services.runtime.web import FieldError, Problem

SQL = queries.load(Path(__file__).with_name("queries_clearance.sql"))

USED_UP = frozenset({"released", "reported"})
COUNTED = frozenset({"reserved", "redeemed"})

_encode = msgspec.json.Encoder(order="deterministic").encode


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a question, or to its redeeming."""

    clearance_id: UUID
    verdict: Literal["allow", "defer", "suppress"]
    state: str
    decision_id: UUID
    decided_at: datetime
    rule_set: str | None = None
    expires_at: datetime | None = None  # of the reservation
    allowed_until: datetime | None = None  # with allow: the contact begins before this
    until: datetime | None = None  # with defer: ask again then
    code: str | None = None
    rule: str | None = None
    reasons: tuple[Reason, ...] = ()
    warnings: tuple[Reason, ...] = ()


class Kept(msgspec.Struct, kw_only=True):
    """The scene of one question, with what is on file of its clearance."""

    scene: Scene
    filed: Row | None
    gate_now: datetime
    real_now: datetime
    connection: Connection
    rule_sets: RuleSets


async def ask(
    db: Pool, rule_sets: RuleSets, tenant: str, borrower_id: UUID, clearance_id: UUID, q: Question
) -> Answered:
    """May I?  The same id with the same question gets the same answer again.  Raises Problem."""
    digest = hashlib.sha256(_encode([borrower_id, _filed(q)])).digest()

    async def act(kept: Kept) -> Answered:
        if kept.filed is not None:
            if kept.filed["digest"] != digest:
                raise _taken("clearance_id")
            return _again(kept.filed, kept.gate_now)
        cleared = clearing.clear(kept.scene, q)
        allowed = cleared.ruling.outcome is Outcome.ALLOW
        ends = clearing.ends(q, kept.gate_now) if allowed and q.reserve else None
        state = "refused" if not allowed else "reserved" if ends else "allowed"
        answered = await _log(kept, cleared, state, "clearance", ends)
        if ends:
            await _reserve(kept, q, cleared, ends)
        new = await kept.connection.fetchval(
            SQL["file"],
            tenant,
            clearance_id,
            borrower_id,
            q.channel,
            digest,
            _encode(_filed(q)).decode(),
            state,
            _encode(answered).decode(),
            kept.gate_now,
            ends,
        )
        if new is None:
            raise _taken("clearance_id")
        return answered

    return await _under_locks(db, rule_sets, tenant, borrower_id, clearance_id, q, act)


async def redeem(db: Pool, rule_sets: RuleSets, tenant: str, clearance_id: UUID) -> Answered:
    """The contact is made now: everything is asked afresh, without its own reservation, which
    moves to this moment and no longer ends by itself.  Raises Problem."""
    borrower_id, q = await _on_file(db, tenant, clearance_id)

    async def act(kept: Kept) -> Answered:
        filed = kept.filed
        if filed is None or filed["state"] in USED_UP:
            state = filed["state"] if filed else "refused"
            return await _log(kept, clearing.superseded(kept.scene, q), state, "redeem", None)
        cleared = clearing.clear(kept.scene, q)
        if cleared.ruling.outcome is Outcome.ALLOW:
            answered = await _log(kept, cleared, "redeemed", "redeem", None)
            await _reserve(kept, q, cleared, None)
        else:
            answered = await _log(kept, cleared, "refused", "redeem", None)
            await give_back(kept.connection, tenant, clearance_id)
        await _move(kept, answered.state)
        return answered

    return await _under_locks(db, rule_sets, tenant, borrower_id, clearance_id, q, act)


async def release(db: Pool, tenant: str, clearance_id: UUID) -> dict[str, Any]:
    """Nothing was or will be done: the place under the caps is free again.  Raises Problem."""
    borrower_id, q = await _on_file(db, tenant, clearance_id)

    async def once() -> dict[str, Any]:
        async with transaction(db) as connection:
            await lock(connection, _subjects(tenant, borrower_id, q.contact_point.id, None))
            filed = await connection.fetchrow(SQL["clearance"], tenant, clearance_id)
            if filed is None or filed["state"] == "reported":
                raise Problem(409, "reported", "its contact was reported: it can't be taken back")
            if filed["state"] != "released":
                now = await connection.fetchval("SELECT policy.gate_now()")
                await give_back(connection, tenant, clearance_id)
                await connection.execute(SQL["move"], tenant, clearance_id, "released", now)
            return {"clearance_id": clearance_id, "state": "released"}

    return await repeating(once)


async def shown(db: Pool, tenant: str, clearance_id: UUID) -> dict[str, Any]:
    """What is on file of it: its state, and the first answer.  Raises Problem."""
    async with transaction(db) as connection:
        now = await connection.fetchval("SELECT policy.gate_now()")
        filed = await connection.fetchrow(SQL["clearance"], tenant, clearance_id)
    if filed is None:
        raise missing()
    return {
        "clearance_id": clearance_id,
        "state": state_of(filed, now),
        "channel": filed["channel"],
        "asked_at": filed["asked_at"],
        "expires_at": filed["expires_at"],
        "redeemed_at": filed["redeemed_at"],
        "reported_at": filed["reported_at"],
        "answer": msgspec.Raw(filed["answer"].encode()),
    }


def state_of(filed: Row, now: datetime) -> str:
    """A reservation is over at its end, whether or not the sweep has been there."""
    ends = filed["expires_at"]
    late = filed["state"] == "reserved" and ends is not None and ends <= now
    return "expired" if late else str(filed["state"])


async def give_back(connection: Connection, tenant: str, clearance_id: UUID) -> None:
    """Its row in the ledger counts no longer."""
    await connection.execute(SQL["give_back"], tenant, ledger_id(tenant, clearance_id))


async def expire(connection: Connection) -> None:
    """Mark what has ended; it counts nowhere since."""
    await connection.fetchrow(SQL["expire"])


async def limits(connection: Connection, tenant: str) -> visits.Limits:
    """What a visit needs at least, as the tenant has set it; else the defaults."""
    row = await connection.fetchrow(SQL["visit_limits"], tenant)
    return msgspec.json.decode(row["limits"], type=visits.Limits) if row else visits.Limits()


def ledger_id(tenant: str, clearance_id: UUID) -> UUID:
    """Of its row in the ledger: derived, so that no caller can name somebody else's row."""
    return derived_id("clearance", tenant, clearance_id)


def missing() -> Problem:
    """404."""
    return Problem(404, "no_such_clearance", "no clearance of this id in your tenant")


async def _under_locks(
    db: Pool,
    rule_sets: RuleSets,
    tenant: str,
    borrower_id: UUID,
    clearance_id: UUID,
    q: Question,
    act: Callable[[Kept], Awaitable[Answered]],
) -> Answered:
    async def once() -> Answered:
        async with transaction(db) as connection:
            home = await _home(connection, tenant, borrower_id)
            await lock(connection, _subjects(tenant, borrower_id, q.contact_point.id, home))
            # Everything below is read after the locks, each statement with a snapshot of its own.
            clocks = await connection.fetchrow(known.LEDGER_SQL["clocks"])
            assert clocks is not None
            filed = await connection.fetchrow(SQL["clearance"], tenant, clearance_id)
            now = clocks["gate_now"].replace(microsecond=0)
            scene = await _scene(connection, rule_sets, tenant, borrower_id, clearance_id, q, now)
            there = scene.known.borrowers.get((tenant, borrower_id))
            if (there["household_id"] if there else None) != home:
                raise SubjectsChanged
            return await act(
                Kept(
                    scene=scene,
                    filed=filed,
                    gate_now=now,
                    real_now=clocks["real_now"],
                    connection=connection,
                    rule_sets=rule_sets,
                )
            )

    return await repeating(once)


async def _scene(
    connection: Connection,
    rule_sets: RuleSets,
    tenant: str,
    borrower_id: UUID,
    clearance_id: UUID,
    q: Question,
    now: datetime,
) -> Scene:
    own = ledger_id(tenant, clearance_id)
    facts = await known.load(connection, now, [(tenant, borrower_id)], [], own=frozenset({own}))
    _forget(facts, (tenant, borrower_id), q.contact_point.id, str(own))
    installments = await connection.fetch(SQL["installments"], tenant, [q.loan_id])
    if any(row["borrower_id"] != borrower_id for row in installments):
        raise _wrong("loan_id", "is another borrower's", "name a loan of this borrower")
    active = await activation.active(connection, rule_sets, [tenant], now)
    visit = q.channel == "visit"
    unreported = visit and await connection.fetchval(
        SQL["unreported_visits"], tenant, borrower_id, clearance_id
    )
    return Scene(
        tenant=tenant,
        borrower_id=borrower_id,
        clearance_id=clearance_id,
        known=facts,
        installments=installments,
        rule_sets=rule_sets,
        active=active.get(tenant, ()),
        feeds=await feeds(connection, [tenant], now),
        limits=await limits(connection, tenant) if visit else visits.Limits(),
        unreported=bool(unreported),
    )


def _forget(facts: known.Known, who: known.Who, point: str | None, own: str) -> None:
    """Leave its own reservation out of what is counted."""
    facts.contacts[who] = [entry for entry in facts.contacts.get(who, ()) if entry.id != own]
    if point is not None:
        there = facts.shared.get((who[0], point), ())
        facts.shared[who[0], point] = [(owner, e) for owner, e in there if e.id != own]


async def _reserve(kept: Kept, q: Question, cleared: Cleared, ends: datetime | None) -> None:
    tenant, clearance_id = kept.scene.tenant, kept.scene.clearance_id
    await kept.connection.execute(
        SQL["reserve"],
        tenant,
        ledger_id(tenant, clearance_id),
        kept.scene.borrower_id,
        q.contact_point.id,
        q.channel,
        kept.gate_now,
        kept.real_now,
        q.loan_id,
        cleared.asked.account,
        cleared.asked.creditor,
        q.purpose,
        clearance_id,
        clearing.entry(q) or None,
        ends,
    )


async def _move(kept: Kept, state: str) -> None:
    await kept.connection.execute(
        SQL["move"], kept.scene.tenant, kept.scene.clearance_id, state, kept.gate_now
    )


async def _log(
    kept: Kept,
    cleared: Cleared,
    state: str,
    checkpoint: Literal["redeem", "clearance"],
    ends: datetime | None,
) -> Answered:
    scene, ruling = kept.scene, cleared.ruling
    own = ledger_id(scene.tenant, scene.clearance_id)
    made = decisions.make(cleared.asked, ruling, cleared.rule_set, kept.gate_now, None, own)
    await decisions.log(kept.connection, [made], kept.gate_now, checkpoint, kept.rule_sets)
    return Answered(
        clearance_id=scene.clearance_id,
        verdict=ruling.outcome.value,  # type: ignore[arg-type]  # a hold was made a deferral
        state=state,
        decision_id=made.last.decision_id,
        decided_at=kept.gate_now,
        rule_set=cleared.rule_set,
        expires_at=ends,
        allowed_until=cleared.allowed_until,
        until=ruling.until,
        code=ruling.code,
        rule=ruling.rule,
        reasons=cleared.reasons,
        warnings=cleared.warnings,
    )


async def _on_file(db: Pool, tenant: str, clearance_id: UUID) -> tuple[UUID, Question]:
    async with transaction(db) as connection:
        filed = await connection.fetchrow(SQL["clearance"], tenant, clearance_id)
    if filed is None:
        raise missing()
    return filed["borrower_id"], msgspec.json.decode(filed["question"], type=Question)


async def _home(connection: Connection, tenant: str, borrower_id: UUID) -> UUID | None:
    rows = await connection.fetch(known.SQL["borrowers_of"], [borrower_id])
    homes: list[UUID | None] = [row["household_id"] for row in rows if row["tenant"] == tenant]
    return homes[0] if homes else None


def _subjects(tenant: str, borrower_id: UUID, point: str | None, home: UUID | None) -> set[str]:
    found = {borrower_subject(tenant, borrower_id)}
    if point is not None:
        found.add(point_subject(tenant, point))
    if home is not None:
        found.add(household_subject(tenant, home))
    return found


def _again(filed: Row, now: datetime) -> Answered:
    answered = msgspec.json.decode(filed["answer"], type=Answered)
    return msgspec.structs.replace(answered, state=state_of(filed, now))


def _filed(q: Question) -> Question:
    """As it is kept: the reference may be a number or a name, the surrogate stands for it."""
    return msgspec.structs.replace(q, borrower_ref="-", clearance_id=None)


def _taken(field: str) -> Problem:
    fix = "use a new id for another question"
    return Problem(
        409, "id_taken", f"this {field} was used before", [FieldError(field, "is taken", fix)]
    )


def _wrong(field: str, problem: str, fix: str) -> Problem:
    return Problem(422, "invalid", f"{field} {problem}", [FieldError(field, problem, fix)])
