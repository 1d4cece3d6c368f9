"""Why: decisions with rules, citations and facts, as a lender asks for them; and what is held."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from services.policy import sentences
from services.policy.explained import Explained, explained
from services.policy.replay import NotReplayable
from services.policy.ruleset import RuleSet
from services.policy.rulesets import PackVersion, RuleSets, RulesUnreadable
from services.runtime import queries
from services.runtime.database import Connection
from services.runtime.languages import preferred
from services.runtime.web import FieldError, Problem

SQL = queries.load(Path(__file__).with_name("queries_explain.sql"))
LOG_SQL = queries.load(Path(__file__).with_name("queries_log.sql"))

MOST = 1_000


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it is on record, and the packs of its rule set: or why it can't be asked."""

    row: dict[str, Any]
    packs: tuple[PackVersion, ...] | NotReplayable


async def recorded(
    connection: Connection, rule_sets: RuleSets, tenant: str | None, decision_id: UUID
) -> Recorded:
    """Read it; the texts of its packs are handed to `rule_sets` once.

    404 if the tenant has none of this id; tenant None: of whomever.
    """
    found = await connection.fetchrow(SQL["decision"], tenant, decision_id)
    if found is None:
        raise Problem(404, "no_such_decision", "no decision of this id in your tenant")
    row = dict(found)
    return Recorded(row=row, packs=await _packs(connection, rule_sets, row))


async def in_full(rule_sets: RuleSets, found: Recorded, language: str) -> dict[str, Any]:
    """One decision: its record, every rule asked again on the recorded facts, and in words.

    A rule set of long ago is compiled and asked beside the doors, not in their way: in a thread,
    with no connection held.
    """
    more = await asyncio.to_thread(_explained, rule_sets, found, language)
    return {**_shown(found.row), **msgspec.structs.asdict(more)}


def language_of(query: Mapping[str, str], accepted: str) -> str:
    """What `?language=` asks for, else Accept-Language.  Raises Problem 422."""
    asked = query.get("language")
    if asked is None:
        return preferred(accepted, sentences.LANGUAGES)
    if asked in sentences.LANGUAGES:
        return asked
    fix = f"use one of: {', '.join(sentences.LANGUAGES)}"
    errors = [FieldError("language", "is none of ours", fix)]
    raise Problem(422, "invalid", "language is none of ours", errors)


async def decisions(
    connection: Connection, tenant: str | None, reminder_id: UUID
) -> list[dict[str, Any]]:
    """Every decision about a reminder, oldest first; a refusal that was repeated says how often."""
    rows = await connection.fetch(SQL["decisions_of_reminder"], tenant, reminder_id, MOST)
    return [_shown(dict(row)) for row in rows]


async def held(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """What waits for a person to mend something, longest first."""
    return [dict(row) for row in await connection.fetch(LOG_SQL["held_list"], tenant, MOST)]


async def _packs(
    connection: Connection, rule_sets: RuleSets, row: dict[str, Any]
) -> tuple[PackVersion, ...] | NotReplayable:
    """The packs that a decision's rule set is made of, or why they can't be had."""
    if row["rule_set"] is None:
        return NotReplayable("no rules were asked")
    if row["packs"] is None:
        return NotReplayable("its rule set is not in the table rule_sets")
    packs = sorted(msgspec.json.decode(row["packs"], type=dict[str, str]).items())
    lacking = [version for version in packs if rule_sets.lacks(version)]
    if lacking:
        names, versions = zip(*lacking, strict=True)
        texts = await connection.fetch(
            SQL["pack_texts"], row["tenant"], list(names), list(versions)
        )
        for text in texts:
            rule_sets.give((text["pack"], text["version"]), text["text"])
    if any(rule_sets.lacks(version) for version in packs):
        return NotReplayable("the text of a pack is not kept")
    return tuple(packs)


def _explained(rule_sets: RuleSets, found: Recorded, language: str) -> Explained:
    return explained(found.row, _rules(rule_sets, found), language)


def _rules(rule_sets: RuleSets, found: Recorded) -> RuleSet | NotReplayable:
    """The rule set that a decision names, compiled; or why it can't be had."""
    if isinstance(found.packs, NotReplayable):
        return found.packs
    try:
        rules = rule_sets.of(found.packs)
    except RulesUnreadable:
        return NotReplayable("its packs can no longer be read")
    if rules.version != found.row["rule_set"]:
        return NotReplayable("a release since reads its rules otherwise")
    return rules


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """JSON columns go out as they were written; the ledger's go out explained."""
    row = {name: row[name] for name in row if not name.startswith("contact_")}
    for column in ("answers", "facts", "packs"):
        if row.get(column) is not None:
            row[column] = msgspec.Raw(row[column].encode())
    return row
