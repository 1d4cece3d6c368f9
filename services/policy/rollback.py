"""Back to the version before, in one step: its kept text is in force again, from now on."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from services.policy import activation
from services.policy.activation import SQL, Activated
from services.policy.activation_refused import unless_two_people
from services.policy.pack import Pack, PackError, load_text
from services.policy.rulesets import RuleSets
from services.runtime.database import Connection
from services.runtime.web import invalid


class Rollback(msgspec.Struct, frozen=True, kw_only=True):
    """Asks that the version before decides again."""

    pack: str
    by: str
    approved_by: str  # somebody else


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """A version's time in force, half-open."""

    activation_id: UUID
    version: str
    active_from: datetime
    ended_at: datetime | None
    restores: UUID | None  # the term whose text a roll-back brought back


class RolledBack(msgspec.Struct, frozen=True, kw_only=True):
    """What decides now, and what it takes the place of."""

    now: Activated
    instead_of: str


async def roll_back(
    connection: Connection, rule_sets: RuleSets, tenant: str, asked: Rollback
) -> RolledBack:
    """Raises Problem, and then nothing has changed."""
    unless_two_people(asked.by, asked.approved_by)
    await activation.one_change_at_a_time(connection, tenant)
    now = await activation.change_now(connection)
    terms = [
        msgspec.convert(row, Term)
        for row in await activation.listed(connection, tenant)
        if row["pack"] == asked.pack
    ]
    current = in_force(terms, now)
    if current is None:
        fix = f"put a version in force: dunwell policy activate {asked.pack}"
        raise invalid("pack", f"{asked.pack} is not in force for {tenant}", fix)
    before = term_before(terms, current)
    if before is None:
        fix = f"take it out: dunwell policy deactivate {asked.pack} --reason WHY"
        raise invalid("pack", f"{asked.pack} had no other version in force before", fix)
    text = await connection.fetchval(SQL["pack_text"], tenant, asked.pack, before.version)
    done = await activation.put_in_force(
        connection,
        rule_sets,
        tenant,
        _read(asked.pack, text),
        text,
        now,
        (asked.by, asked.approved_by),
        before.activation_id,
    )
    return RolledBack(now=done, instead_of=current.version)


def in_force(terms: Sequence[Term], now: datetime) -> Term | None:
    """The latest to begin of those that decide now."""
    current = [t for t in terms if t.active_from <= now and (not t.ended_at or t.ended_at > now)]
    return max(current, key=lambda term: term.active_from, default=None)


def term_before(terms: Sequence[Term], current: Term) -> Term | None:
    """The version that was in force before this one; rolled back twice it goes two back, not forth
    and back."""
    by_id = {term.activation_id: term for term in terms}
    origin = by_id.get(current.restores, current) if current.restores else current
    earlier = [
        term
        for term in terms
        if term.active_from < origin.active_from
        and term.version != origin.version
        and term.restores is None
        and _ever(term)
    ]
    return max(earlier, key=lambda term: term.active_from, default=None)


def _ever(term: Term) -> bool:
    """Was it in force, or will it be?  What was called off before it began never was."""
    return term.ended_at is None or term.ended_at > term.active_from


def _read(pack: str, text: str) -> Pack:
    try:
        return load_text(text, f"{pack}.yaml")
    except PackError as error:
        said = f"the version before can no longer be read: {error}"
        raise invalid("pack", said, "draft it anew, have it approved, and activate it") from None
