"""A question under the locks: what is read after them, booked, and written down."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from services.policy import activation, decisions, known
from services.policy.clearances import visit_limits, visits
from services.policy.clearances.clear import Cleared
from services.policy.clearances.filed import SQL, Answered, ledger_id
from services.policy.clearances.question import Question, ledger_entry
from services.policy.clearances.scene import Scene
from services.policy.feeds import feeds
from services.policy.known import Row
from services.policy.locks import (
    borrower_subject,
    household_subject,
    lock,
    point_subject,
)
from services.policy.rulesets import RuleSets
from services.runtime import metrics
from services.runtime.database import Connection, Overtaken, Pool, repeating, transaction
from services.runtime.web import invalid


class Kept(msgspec.Struct, kw_only=True):
    """The scene of one question, with what is on file of its clearance."""

    scene: Scene
    filed: Row | None
    gate_now: datetime
    real_now: datetime
    connection: Connection
    rule_sets: RuleSets


async def under_locks(
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
            await lock(connection, subjects_of(tenant, borrower_id, q.contact_point.id, home))
            # Everything below is read after the locks, each statement with a snapshot of its own.
            clocks = await connection.fetchrow(known.LEDGER_SQL["clocks"])
            assert clocks is not None
            filed = await connection.fetchrow(SQL["clearance"], tenant, clearance_id)
            now = clocks["gate_now"].replace(microsecond=0)
            scene = await _scene(connection, rule_sets, tenant, borrower_id, clearance_id, q, now)
            there = scene.known.borrowers.get((tenant, borrower_id))
            if (there["household_id"] if there else None) != home:
                raise Overtaken
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

    answered = await repeating(once)
    metrics.CLEARANCES.labels(answered.verdict, answered.code or "").inc()
    return answered


async def reserve(kept: Kept, q: Question, cleared: Cleared, ends: datetime | None) -> None:
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
        cleared.asked.terms.account,
        cleared.asked.terms.creditor,
        q.purpose,
        clearance_id,
        ledger_entry(q) or None,
        ends,
    )


async def move(kept: Kept, state: str) -> None:
    await kept.connection.execute(
        SQL["move"], kept.scene.tenant, kept.scene.clearance_id, state, kept.gate_now
    )


async def log(
    kept: Kept,
    cleared: Cleared,
    state: str,
    checkpoint: Literal["redeem", "clearance"],
    ends: datetime | None,
) -> Answered:
    scene, ruling = kept.scene, cleared.ruling
    own = ledger_id(scene.tenant, scene.clearance_id)
    made = decisions.make(cleared.asked, ruling, cleared.rule_set, kept.gate_now, None, own)
    borrowers = scene.known.borrowers
    await decisions.log(
        kept.connection, [made], kept.gate_now, checkpoint, kept.rule_sets, borrowers
    )
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
    active = await activation.active(connection, rule_sets, [tenant], now)
    facts = await known.load(
        connection,
        now,
        [(tenant, borrower_id)],
        [],
        back=rule_sets.look_back(active.values()),
        own=frozenset({own}),
    )
    _forget(facts, (tenant, borrower_id), q.contact_point.id, str(own))
    installments = await connection.fetch(SQL["installments"], tenant, [q.loan_id])
    if any(row["borrower_id"] != borrower_id for row in installments):
        raise invalid("loan_id", "is another borrower's", "name a loan of this borrower")
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
        limits=await visit_limits.read(connection, tenant) if visit else visits.Limits(),
        unreported=bool(unreported),
    )


def _forget(facts: known.Known, who: known.Who, point: str | None, own: str) -> None:
    """Leave its own reservation out of what is counted."""
    facts.contacts[who] = [entry for entry in facts.contacts.get(who, ()) if entry.id != own]
    if point is not None:
        there = facts.shared.get((who[0], point), ())
        facts.shared[who[0], point] = [(owner, e) for owner, e in there if e.id != own]


async def _home(connection: Connection, tenant: str, borrower_id: UUID) -> UUID | None:
    rows = await connection.fetch(known.SQL["borrowers_of"], [borrower_id])
    homes: list[UUID | None] = [row["household_id"] for row in rows if row["tenant"] == tenant]
    return homes[0] if homes else None


def subjects_of(tenant: str, borrower_id: UUID, point: str | None, home: UUID | None) -> set[str]:
    found = {borrower_subject(tenant, borrower_id)}
    if point is not None:
        found.add(point_subject(tenant, point))
    if home is not None:
        found.add(household_subject(tenant, home))
    return found
