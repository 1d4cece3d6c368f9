"""Why: decisions with rules, citations and facts, as a lender asks for them; and what is held."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from services.policy import sentences
from services.policy.explained import explained
from services.policy.replay import NotReplayable
from services.policy.ruleset import RuleSet
from services.policy.rulesets import RuleSets, RulesUnreadable
from services.runtime import queries
from services.runtime.database import Connection
from services.runtime.web import FieldError, Problem

SQL = queries.load(Path(__file__).with_name("queries_log.sql"))
EXPLAIN_SQL = queries.load(Path(__file__).with_name("queries_explain.sql"))

MOST = 1_000


async def decision(connection: Connection, tenant: str, decision_id: UUID) -> dict[str, Any]:
    """One decision as recorded: answers with rules and citations, facts, rule set.  Or 404."""
    return _shown(await _recorded(connection, tenant, decision_id))


async def in_full(
    connection: Connection,
    rule_sets: RuleSets,
    tenant: str | None,
    decision_id: UUID,
    language: str,
) -> dict[str, Any]:
    """One decision: its record, every rule asked again on the recorded facts, and in words.

    404 if the tenant has none of this id; tenant None: of whomever.
    """
    row = await _recorded(connection, tenant, decision_id)
    rules = await _rules(connection, rule_sets, row)
    # A rule set of long ago is compiled and asked beside the doors, not in their way.
    more = await asyncio.to_thread(explained, row, rules, language)
    return {**_shown(row), **msgspec.structs.asdict(more)}


def language_of(query: Mapping[str, str], accepted: str) -> str:
    """What `?language=` asks for, else Accept-Language.  Raises Problem 422."""
    asked = query.get("language")
    if asked is None:
        return sentences.language_of(accepted)
    if asked in sentences.LANGUAGES:
        return asked
    fix = f"use one of: {', '.join(sentences.LANGUAGES)}"
    errors = [FieldError("language", "is none of ours", fix)]
    raise Problem(422, "invalid", "language is none of ours", errors)


async def _recorded(
    connection: Connection, tenant: str | None, decision_id: UUID
) -> dict[str, Any]:
    row = await connection.fetchrow(EXPLAIN_SQL["decision"], tenant, decision_id)
    if row is None:
        raise Problem(404, "no_such_decision", "no decision of this id in your tenant")
    return dict(row)


async def _rules(
    connection: Connection, rule_sets: RuleSets, row: dict[str, Any]
) -> RuleSet | NotReplayable:
    """The rule set that a decision names, or why it can't be had."""
    if row["rule_set"] is None:
        return NotReplayable("no rules were asked")
    if row["packs"] is None:
        return NotReplayable("its rule set is not in the table rule_sets")
    packs = sorted(msgspec.json.decode(row["packs"], type=dict[str, str]).items())
    lacking = [version for version in packs if rule_sets.lacks(version)]
    if lacking:
        names, versions = zip(*lacking, strict=True)
        texts = await connection.fetch(
            EXPLAIN_SQL["pack_texts"], row["tenant"], list(names), list(versions)
        )
        for text in texts:
            rule_sets.give((text["pack"], text["version"]), text["text"])
    if any(rule_sets.lacks(version) for version in packs):
        return NotReplayable("the text of a pack is not kept")
    try:
        found = await asyncio.to_thread(rule_sets.of, tuple(packs))
    except RulesUnreadable:
        return NotReplayable("its packs can no longer be read")
    if found.version != row["rule_set"]:
        return NotReplayable("a release since reads its rules otherwise")
    return found


async def decisions(connection: Connection, tenant: str, reminder_id: UUID) -> list[dict[str, Any]]:
    """Every decision about a reminder, oldest first; a refusal that was repeated says how often."""
    rows = await connection.fetch(SQL["decisions_of_reminder"], tenant, reminder_id, MOST)
    return [_shown(dict(row)) for row in rows]


async def held(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """What waits for a person to mend something, longest first."""
    return [dict(row) for row in await connection.fetch(SQL["held_list"], tenant, MOST)]


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """JSON columns go out as they were written."""
    for column in ("answers", "facts", "packs"):
        if row.get(column) is not None:
            row[column] = msgspec.Raw(row[column].encode())
    return row
