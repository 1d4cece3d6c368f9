"""Which packs decide for a tenant: a row that says which text, since when, asked by whom, approved
by whom else."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from services.policy.pack import PackError, load_shipped, load_text
from services.policy.rulesets import Active, RuleSets, RulesUnreadable
from services.runtime import queries
from services.runtime.clock import gate_now
from services.runtime.database import Connection
from services.runtime.web import FieldError, Problem

SQL = queries.load(Path(__file__).with_name("queries_activation.sql"))
LOG_SQL = queries.load(Path(__file__).with_name("queries_log.sql"))

ActiveByTenant = Mapping[str, Active]


class Activation(msgspec.Struct, frozen=True, kw_only=True):
    """Asks that a pack decides for a tenant from an instant on (now, if none is named)."""

    pack: str
    by: str
    approved_by: str  # somebody else
    active_from: datetime | None = msgspec.field(default=None, name="from")
    accept_draft: bool = False  # "I know that no counsel has reviewed it"


class Deactivation(msgspec.Struct, frozen=True, kw_only=True):
    """Asks that a pack no longer decides for a tenant, from an instant on (now, if none)."""

    pack: str
    by: str
    approved_by: str
    at: datetime | None = None


class Activated(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and under which hash the pack's text is kept."""

    activation_id: UUID
    pack: str
    version: str
    status: str
    active_from: datetime


async def active(
    connection: Connection, rule_sets: RuleSets, tenants: Iterable[str], now: datetime
) -> ActiveByTenant:
    """What each tenant has active at `now`; the texts are handed to `rule_sets` once."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.fetch(SQL["active"], sorted(tenants), now):
        version = (row["pack"], row["version"])
        if rule_sets.lacks(version):
            text = await connection.fetchval(SQL["pack_text"], row["tenant"], *version)
            if text is not None:
                rule_sets.give(version, text)
        found.setdefault(row["tenant"], []).append(version)
    return found


async def stale_tenants(
    connection: Connection, tenants: Iterable[str], now: datetime
) -> frozenset[str]:
    """Tenants with a source whose watermark is older than its bound."""
    rows = await connection.fetch(SQL["stale_tenants"], sorted(tenants), now)
    return frozenset(row["tenant"] for row in rows)


async def activate(
    connection: Connection, rule_sets: RuleSets, tenant: str, asked: Activation, *, sandbox: bool
) -> Activated:
    """Put a shipped pack in force for a tenant.  Raises Problem, and then nothing has changed."""
    _two_people(asked.by, asked.approved_by)
    now = await gate_now(connection)
    begins = asked.active_from or now
    if begins.tzinfo is None:
        raise _wrong("from", "has no time zone", "write UTC: 2026-06-01T00:00:00Z")
    text = _shipped_text(asked.pack)
    pack = load_text(text, f"{asked.pack}.yaml")
    if pack.status == "draft" and not (sandbox or asked.accept_draft):
        raise _wrong(
            "accept_draft",
            f"{asked.pack} is a draft that no counsel has reviewed",
            "have it reviewed, or say accept_draft: true knowing that; beside the sandbox "
            "(DUNWELL_SANDBOX=true) drafts need no such word",
        )
    version = hashlib.sha256(text.encode()).hexdigest()
    others = await active(connection, rule_sets, [tenant], max(begins, now))
    rule_sets.give((asked.pack, version), text)
    together = dict(others.get(tenant, ())) | {asked.pack: version}
    try:
        rule_sets.of(tuple(sorted(together.items())))
    except RulesUnreadable as error:
        said = f"does not go with the packs active: {error}"
        raise _wrong("pack", said, "mend it first") from None
    await connection.execute(SQL["keep_pack_text"], tenant, asked.pack, version, text)
    people = (asked.by, asked.approved_by)
    await connection.execute(SQL["supersede"], tenant, asked.pack, begins, *people)
    activation_id = uuid4()
    await connection.execute(
        SQL["activate"], tenant, activation_id, asked.pack, version, begins, *people
    )
    await connection.execute(LOG_SQL["hasten"], tenant)
    return Activated(
        activation_id=activation_id,
        pack=asked.pack,
        version=version,
        status=pack.status,
        active_from=begins,
    )


async def deactivate(connection: Connection, tenant: str, asked: Deactivation) -> None:
    """End a pack for a tenant: borrowers whose place has no other are held.  Raises Problem."""
    _two_people(asked.by, asked.approved_by)
    at = asked.at or await gate_now(connection)
    rows = await connection.fetch(
        SQL["deactivate"], tenant, asked.pack, at, asked.by, asked.approved_by
    )
    if not rows:
        raise Problem(404, "not_active", f"{asked.pack} is not active; see GET /v1/activations")


async def listed(connection: Connection, tenant: str) -> list[dict[str, object]]:
    """Every activation a tenant ever had, by pack."""
    return [dict(row) for row in await connection.fetch(SQL["activations"], tenant)]


def _shipped_text(pack_id: str) -> str:
    try:
        load_shipped(pack_id)
    except PackError as error:
        said = "; ".join(problem.text for problem in error.problems)
        raise _wrong("pack", said, "name a shipped pack: `dunwell packs list`") from None
    path = files("services.policy") / "packs" / f"{pack_id}.yaml"
    return path.read_text(encoding="utf-8")


def _two_people(by: str, approved_by: str) -> None:
    if not by.strip() or not approved_by.strip():
        raise _wrong("by", "or approved_by is empty", "name both people")
    if by.strip().casefold() == approved_by.strip().casefold():
        raise _wrong("approved_by", "is the same person as by", "have somebody else approve it")


def _wrong(field: str, problem: str, fix: str) -> Problem:
    return Problem(422, "invalid", f"{field} {problem}", [FieldError(field, problem, fix)])
