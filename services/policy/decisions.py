"""The decision log: every answer with its reasons, its rule-set version and its facts by hash.

Never the text of a message, never an address: facts name contact points by pseudonym.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec

from services.policy import jurisdictions
from services.policy.asked import Asked
from services.policy.ids import new_id
from services.policy.known import Row, Who
from services.policy.rulesets import ALWAYS_ID, RuleSets
from services.policy.verdict import Outcome, Ruling
from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("queries_log.sql"))

# fmt: off
COLUMNS = (
    "tenant", "decision_id", "decided_at", "checkpoint", "reminder_id", "emission", "attempt_id",
    "borrower_id", "loan_id", "installment_number", "verdict", "until", "code", "rule", "rule_set",
    "facts_hash", "answers", "last_at", "place",
)
# fmt: on

# Sets in one order: the same facts have the same hash in every process.
_encoder = msgspec.json.Encoder(order="deterministic")


class Last(msgspec.Struct, frozen=True, kw_only=True):
    """The last decision about a reminder: its key, and what it said on which facts."""

    decision_id: UUID
    decided_at: datetime
    digest: bytes


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One decision ready for the log."""

    asked: Asked
    ruling: Ruling
    rule_set: str | None
    attempt_id: UUID | None
    facts: bytes | None
    facts_hash: bytes | None
    last: Last  # this decision, as the next will find it
    repeats: bool  # the one before it said the same on the same facts


def make(
    asked: Asked,
    ruling: Ruling,
    rule_set: str | None,
    now: datetime,
    before: Last | None,
    attempt_id: UUID | None = None,
) -> Made:
    """A refusal that repeats the one before it word for word is that one, counted once more."""
    facts = _encoder.encode(_compact(ruling)) if ruling.facts else None
    facts_hash = hashlib.sha256(facts).digest() if facts else None
    said = (ruling.outcome, ruling.code, ruling.rule, rule_set, facts_hash, attempt_id is None)
    digest = hashlib.blake2b(_encoder.encode(said), digest_size=16).digest()
    waiting = ruling.outcome in (Outcome.DEFER, Outcome.HOLD)
    repeats = waiting and before is not None and before.digest == digest
    if repeats and before is not None:
        last = before
    else:
        last = Last(decision_id=new_id(), decided_at=now, digest=digest)
    return Made(
        asked=asked,
        ruling=ruling,
        rule_set=rule_set,
        attempt_id=attempt_id,
        facts=facts,
        facts_hash=facts_hash,
        last=last,
        repeats=repeats,
    )


async def log(
    connection: Connection,
    made: Sequence[Made],
    now: datetime,
    checkpoint: Literal["due", "redeem", "clearance"],
    rule_sets: RuleSets,
    borrowers: Mapping[Who, Row],
) -> None:
    """Write a batch of decisions, in a statement each for decisions, facts and repeats.

    `borrowers` are those they were made about, as far as they are known.
    """
    new = [m for m in made if not m.repeats]
    if new:
        await _insert(connection, new, now, checkpoint, borrowers)
        await _name_rule_sets(connection, new, now, rule_sets)
    facts = {(m.asked.tenant, m.facts_hash): m.facts for m in new if m.facts_hash}
    if facts:
        await connection.execute(
            SQL["log_facts"],
            [tenant for tenant, _ in facts],
            [digest for _, digest in facts],
            [text.decode() for text in facts.values() if text],
        )
    repeated = [m for m in made if m.repeats]
    if repeated:
        await connection.execute(
            SQL["count_repeats"],
            [m.asked.tenant for m in repeated],
            [m.last.decision_id for m in repeated],
            [m.last.decided_at for m in repeated],
            [m.ruling.until for m in repeated],
            now,
        )


async def _insert(
    connection: Connection,
    new: Sequence[Made],
    now: datetime,
    checkpoint: str,
    borrowers: Mapping[Who, Row],
) -> None:
    """By COPY: each is new, so nothing can conflict, and it costs half of INSERT … unnest."""
    await connection.copy_records_to_table(
        "decisions",
        columns=COLUMNS,
        records=[
            (
                m.asked.tenant,
                m.last.decision_id,
                now,
                checkpoint,
                m.asked.reminder_id,
                m.asked.emission,
                m.attempt_id,
                m.asked.borrower_id,
                m.asked.loan_id,
                m.asked.installment_number,
                m.ruling.outcome.value,
                m.ruling.until,
                m.ruling.code,
                m.ruling.rule,
                m.rule_set,
                m.facts_hash,
                _encoder.encode(m.ruling.answers).decode(),
                now,
                _place(borrowers.get(m.asked.who)),
            )
            for m in new
        ],
    )


def _place(borrower: Row | None) -> str | None:
    if borrower is None:
        return None
    return jurisdictions.named(borrower["country"], borrower["subdivision"], borrower["city"])


async def _name_rule_sets(
    connection: Connection, new: Sequence[Made], now: datetime, rule_sets: RuleSets
) -> None:
    """Which packs, by hash, are in the rule sets that these decisions name; and the text of what
    is asked of everybody, which nobody activates and the next release may change.
    """
    named = sorted({(m.asked.tenant, m.rule_set) for m in new if m.rule_set})
    if named:
        always = [(ALWAYS_ID, rule_sets.contents(version)[ALWAYS_ID]) for _, version in named]
        await connection.execute(
            SQL["log_rule_sets"],
            [tenant for tenant, _ in named],
            [version for _, version in named],
            [_encoder.encode(rule_sets.contents(version)).decode() for _, version in named],
            now,
            [pack for pack, _ in always],
            [version for _, version in always],
            [rule_sets.text(version) for version in always],
        )


def _compact(ruling: Ruling) -> list[object]:
    """The facts of the first question whole; of the others the contact, if all else is the same."""
    first, *others = ruling.facts
    parts: list[object] = [first]
    for facts in others:
        same = facts.history is first.history and facts.debt == first.debt
        parts.append({"contact": facts.contact} if same else facts)
    return parts
