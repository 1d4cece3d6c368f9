"""Why: decisions with rules, citations and facts, as a lender asks for them; and what is held."""

from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from services.runtime import queries
from services.runtime.database import Connection
from services.runtime.web import Problem

SQL = queries.load(Path(__file__).with_name("queries_log.sql"))

MOST = 1_000


async def decision(connection: Connection, tenant: str, decision_id: UUID) -> dict[str, Any]:
    """One decision: answers with rules and citations, facts, rule set.  404 if not there."""
    row = await connection.fetchrow(SQL["decision"], tenant, decision_id)
    if row is None:
        raise Problem(404, "no_such_decision", "no decision of this id in your tenant")
    return _shown(dict(row))


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
