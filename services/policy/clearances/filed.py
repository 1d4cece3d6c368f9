"""What is on file of a clearance: its states, the answers given, its place in the ledger."""

from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import msgspec

from services.events.codec import derived_id
from services.policy.clearances.question import Question
from services.policy.decide import Reason
from services.policy.known import Row
from services.runtime import queries
from services.runtime.database import Connection, Pool, transaction
from services.runtime.web import Problem

SQL = queries.load(Path(__file__).with_name("queries.sql"))


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


async def on_file(db: Pool, tenant: str, clearance_id: UUID) -> tuple[UUID, Question]:
    async with transaction(db) as connection:
        filed = await connection.fetchrow(SQL["clearance"], tenant, clearance_id)
    if filed is None:
        raise missing()
    return filed["borrower_id"], msgspec.json.decode(filed["question"], type=Question)


def missing() -> Problem:
    """404."""
    return Problem(404, "no_such_clearance", "no clearance of this id in your tenant")


def state_of(filed: Row, now: datetime) -> str:
    """A reservation is over at its end, whether or not the sweep has been there."""
    ends = filed["expires_at"]
    late = filed["state"] == "reserved" and ends is not None and ends <= now
    return "expired" if late else str(filed["state"])


def ledger_id(tenant: str, clearance_id: UUID) -> UUID:
    """Of its row in the ledger: derived, so that no caller can name somebody else's row."""
    return derived_id("clearance", tenant, clearance_id)


async def give_back(connection: Connection, tenant: str, clearance_id: UUID) -> None:
    """Its row in the ledger counts no longer."""
    await connection.execute(SQL["give_back"], tenant, ledger_id(tenant, clearance_id))


async def expire(connection: Connection) -> None:
    """Mark what has ended; it counts nowhere since."""
    await connection.fetchrow(SQL["expire"])
