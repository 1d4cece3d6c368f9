"""The second checkpoint, at hand-off: everything is asked afresh under the locks, and booked.

A booking never runs out by time; only what became of its attempt releases it.  A refusal goes into
the outbox in the same transaction, so it can't be lost with the answer.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from msgspec.structs import replace

from services.events.codec import derived_id
from services.events.permits import Redeem, Redeemed, Verdict
from services.policy import activation, booking, decisions, known
from services.policy.answers import refused as refusal_event
from services.policy.feeds import feeds
from services.policy.gate import Gate, Judged
from services.policy.ids import row_id
from services.policy.known import Known, Row
from services.policy.locks import (
    borrower_subject,
    household_subject,
    lock,
    point_subject,
)
from services.policy.reminders import State, state_of
from services.policy.rulesets import RuleSets
from services.policy.verdict import Outcome, Ruling
from services.runtime import metrics
from services.runtime.crashpoints import reach
from services.runtime.database import Connection, Overtaken, Pool, repeating, transaction
from services.runtime.outbox import Outbox, put

SEND_WITHIN = timedelta(seconds=10)


async def redeem(
    db: Pool, rule_sets: RuleSets, outbox: Outbox, redeems: Sequence[Redeem]
) -> list[Redeemed]:
    """In the order asked.  A repeated attempt is judged again, without its own booking."""
    unique = list({(r.tenant, r.attempt_id): r for r in map(_with_row_ids, redeems)}.values())
    answers = await repeating(lambda: _once(db, rule_sets, unique))
    reach("policy.redeem_committed")
    for (verdict, code), many in Counter((a.verdict, a.code) for a in answers.values()).items():
        metrics.REDEEMS.labels(verdict.value, code or "").inc(many)
    outbox.nudge()
    return [answers[r.tenant, r.attempt_id] for r in redeems]


def _with_row_ids(r: Redeem) -> Redeem:
    """They are looked up and sent a dozen times."""
    return replace(
        r,
        attempt_id=row_id(r.attempt_id),
        reminder_id=row_id(r.reminder_id),
        borrower_id=row_id(r.borrower_id),
    )


async def _once(
    db: Pool, rule_sets: RuleSets, redeems: Sequence[Redeem]
) -> dict[tuple[str, UUID], Redeemed]:
    async with transaction(db) as connection:
        homes = await _homes(connection, redeems)
        await lock(connection, _subjects(redeems, homes))
        # Everything below is read after the locks, each statement with a snapshot of its own.
        clocks = await connection.fetchrow(known.LEDGER_SQL["clocks"])
        assert clocks is not None
        gate_now, real_now = clocks["gate_now"], clocks["real_now"]
        now = gate_now.replace(microsecond=0)
        await booking.release(connection, redeems)
        state = await state_of(
            connection, list(dict.fromkeys((r.tenant, r.reminder_id) for r in redeems))
        )
        bookings = await booking.existing(connection, redeems)
        tenants = {r.tenant for r in redeems}
        active = await activation.active(connection, rule_sets, tenants, now)
        facts = await known.load(
            connection,
            now,
            ((r.tenant, r.borrower_id) for r in redeems),
            ((r.tenant, r.loan_id, r.installment_number) for r in redeems),
            back=rule_sets.look_back(active.values()),
            own=frozenset(attempt for _, attempt in bookings),
        )
        if _homes_of(facts) != homes:
            raise Overtaken
        gate = Gate(
            facts=facts,
            state=state,
            rule_sets=rule_sets,
            active=active,
            feeds=await feeds(connection, tenants, now),
            bookings=bookings,
        )
        judged = [gate.judge(r) for r in sorted(redeems, key=gate.order)]
        return await _save(connection, rule_sets, state, facts, judged, gate_now, real_now)


async def _save(
    connection: Connection,
    rule_sets: RuleSets,
    state: State,
    facts: known.Known,
    judged: list[Judged],
    gate_now: datetime,
    real_now: datetime,
) -> dict[tuple[str, UUID], Redeemed]:
    now = gate_now.replace(microsecond=0)
    for j in judged:
        before = state.last((j.redeem.tenant, j.redeem.reminder_id))
        j.made = decisions.make(j.asked, j.ruling, j.rule_set, now, before, j.redeem.attempt_id)
    logged = [j.made for j in judged if j.made and j.logged]
    await decisions.log(connection, logged, now, "redeem", rule_sets, facts.borrowers)
    allowed = [j for j in judged if j.ruling.outcome is Outcome.ALLOW]
    refused = [j for j in judged if j.ruling.outcome is not Outcome.ALLOW]
    answers = {
        (j.redeem.tenant, j.redeem.attempt_id): _answer(j, gate_now, real_now) for j in judged
    }
    await booking.book(connection, [(j.asked, j.redeem, j.place) for j in allowed], now, real_now)
    await booking.permit(
        connection,
        [
            (j.redeem, answers[j.redeem.tenant, j.redeem.attempt_id], j.made)
            for j in allowed
            if j.made
        ],
        real_now,
        gate_now,
    )
    await booking.cancel(connection, [j.redeem for j in refused if not j.fenced])
    told = [j for j in refused if not j.silent and j.made]
    await _remember(connection, state, told)
    await put(connection, [refusal_event(j.made, now) for j in told if j.made])
    return answers


async def _remember(connection: Connection, state: State, told: list[Judged]) -> None:
    rows = [
        (j, j.made.last, state.rows.get((j.redeem.tenant, j.redeem.reminder_id)))
        for j in told
        if j.made
    ]
    known_rows = [(j, last, row) for j, last, row in rows if row is not None]
    if known_rows:
        await connection.execute(
            known.SQL["remember_refusals"],
            [j.redeem.tenant for j, _, _ in known_rows],
            [j.redeem.reminder_id for j, _, _ in known_rows],
            [j.redeem.emission for j, _, _ in known_rows],
            [j.ruling.outcome.value for j, _, _ in known_rows],
            [j.ruling.until for j, _, _ in known_rows],
            [j.ruling.code for j, _, _ in known_rows],
            [j.ruling.rule for j, _, _ in known_rows],
            [row["waits"] + 1 if _is_wait(j.ruling) else 0 for j, _, row in known_rows],
            [last.decision_id for _, last, _ in known_rows],
            [last.decided_at for _, last, _ in known_rows],
            [last.digest for _, last, _ in known_rows],
            [j.barred for j, _, _ in known_rows],
        )


def _answer(j: Judged, gate_now: datetime, real_now: datetime) -> Redeemed:
    if j.allowed_until is None or j.ruling.outcome is not Outcome.ALLOW:
        return Redeemed(
            attempt_id=j.redeem.attempt_id,
            verdict=Verdict.DEFER if j.ruling.outcome is Outcome.DEFER else Verdict.SUPPRESS,
            until=j.ruling.until,
            code=j.ruling.code,
            rule=j.ruling.rule,
        )
    return Redeemed(
        attempt_id=j.redeem.attempt_id,
        verdict=Verdict.ALLOW,
        permit_id=derived_id("permit", j.redeem.tenant, j.redeem.attempt_id),
        send_by=real_now + min(SEND_WITHIN, max(j.allowed_until - gate_now, timedelta(0))),
        allowed_until=j.allowed_until,
        gate_now=gate_now,
    )


def _is_wait(ruling: Ruling) -> bool:
    """A refusal that an expected fact, or a person, will cure."""
    code = ruling.code or ""
    return ruling.outcome is Outcome.DEFER and (code == "feed_stale" or code.startswith("held_"))


async def _homes(
    connection: Connection, redeems: Sequence[Redeem]
) -> frozenset[tuple[str, UUID, UUID]]:
    rows = await connection.fetch(known.SQL["borrowers_of"], [r.borrower_id for r in redeems])
    return frozenset(_home(row) for row in rows if row["household_id"])


def _homes_of(facts: Known) -> frozenset[tuple[str, UUID, UUID]]:
    return frozenset(_home(row) for row in facts.borrowers.values() if row["household_id"])


def _home(row: Row) -> tuple[str, UUID, UUID]:
    return row["tenant"], row["borrower_id"], row["household_id"]


def _subjects(redeems: Sequence[Redeem], homes: frozenset[tuple[str, UUID, UUID]]) -> set[str]:
    return (
        {borrower_subject(r.tenant, r.borrower_id) for r in redeems}
        | {point_subject(r.tenant, r.contact_point_id) for r in redeems}
        | {household_subject(tenant, home) for tenant, _, home in homes}
    )
