"""Attempts and reminders in PostgreSQL: rows in, rows out, a statement a batch."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
import msgspec

from services.events.codec import derived_id
from services.events.reminders import ReminderAllowed
from services.notifier.choose import Tried
from services.runtime import queries
from services.runtime.database import Connection
from services.runtime.queries import columns

SQL = queries.load(Path(__file__).with_name("queries.sql"))

SOURCE = "/dunwell/notifier"
"""The notifier's name in what it publishes"""

Row: TypeAlias = "asyncpg.Record"
Key = tuple[str, UUID]
"""(tenant, reminder_id)"""
Owner = tuple[str, UUID]
"""(tenant, borrower_id)"""

decode_allowed = msgspec.json.Decoder(ReminderAllowed).decode
"""Of `reminders.allowed`"""


class NewAttempt(NamedTuple):
    """An intent to be written; `wait` is the backoff before it is claimed."""

    attempt_id: UUID
    tenant: str
    reminder_id: UUID
    emission: int
    borrower_id: UUID
    priority: int
    releases: tuple[UUID, ...]
    wait: timedelta


class Held(NamedTuple):
    """One epoch of one attempt: what a fenced statement asks for."""

    attempt_id: UUID
    tenant: str
    epoch: int


def first_attempt_id(tenant: str, reminder_id: UUID, emission: int) -> UUID:
    """An emission begins one attempt: the same message, given again, begins the same one."""
    return derived_id("attempt", tenant, reminder_id, emission)


def next_attempt_id(finished: UUID) -> UUID:
    """A finished attempt has at most one successor."""
    return derived_id("attempt after", finished)


async def add_attempts(connection: Connection, attempts: Sequence[NewAttempt]) -> None:
    rows = (
        (*attempt[:6], " ".join(map(str, attempt.releases)), attempt.wait) for attempt in attempts
    )
    if attempts:
        await connection.execute(SQL["add_attempts"], *columns(rows, 8))


async def refuse(
    connection: Connection, refusals: Sequence[tuple[Held, str, str | None]]
) -> Sequence[Row]:
    """Intents end as (held, state, code); returns those that were still ours."""
    if not refusals:
        return []
    rows: Sequence[Row] = await connection.fetch(
        SQL["refuse"], *columns(((*held, state, code) for held, state, code in refusals), 5)
    )
    return rows


async def put_back(connection: Connection, held: Sequence[Held], wait: timedelta) -> None:
    await connection.execute(SQL["put_back"], *columns(held, 3), wait)


async def history(connection: Connection, reminders: Sequence[Key]) -> dict[Key, list[Tried]]:
    """What was tried for these reminders and came to nothing, oldest first."""
    found: dict[Key, list[Tried]] = {}
    if reminders:
        for row in await connection.fetch(SQL["history"], *columns(set(reminders), 2)):
            found.setdefault((row["tenant"], row["reminder_id"]), []).append(
                Tried(row["state"], row["channel"], row["contact_point_id"], row["retryable"])
            )
    return found


async def reminders_of(connection: Connection, reminders: Sequence[Key]) -> dict[Key, Row]:
    rows = await connection.fetch(SQL["reminders_of"], *columns(set(reminders), 2))
    return {(row["tenant"], row["reminder_id"]): row for row in rows}


async def fail_reminders(connection: Connection, failed: Sequence[tuple[str, UUID, str]]) -> None:
    if failed:
        await connection.execute(SQL["fail_reminders"], *columns(failed, 3))
