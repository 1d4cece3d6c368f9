"""What is kept of reminders that were asked about: emission, last decision, last refusal."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from services.policy import known
from services.policy.decisions import Last
from services.policy.known import Row
from services.runtime.database import Connection

Reminder = tuple[str, UUID]  # tenant, reminder


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of reminders that were asked about before, and which are cancelled."""

    rows: dict[Reminder, Row]
    cancelled: frozenset[Reminder]

    def is_held(self, key: Reminder) -> bool:
        row = self.rows.get(key)
        return row is not None and row["held_code"] is not None

    def last(self, key: Reminder) -> Last | None:
        row = self.rows.get(key)
        if row is None:
            return None
        return Last(
            decision_id=row["decision_id"], decided_at=row["decided_at"], digest=row["digest"]
        )


async def state_of(connection: Connection, keys: Sequence[Reminder]) -> State:
    """Reminders are locked in key order until the transaction ends; tombstones are read after."""
    ids = [reminder for _, reminder in keys]
    rows = await connection.fetch(known.SQL["reminders_of"], ids)
    gone = await connection.fetch(known.SQL["cancelled_of"], ids)
    return State(
        rows={(row["tenant"], row["reminder_id"]): row for row in rows},
        cancelled=frozenset((row["tenant"], row["reminder_id"]) for row in gone),
    )
