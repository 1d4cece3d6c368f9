"""Held reminders: not answered yet, because a person must mend something first.

Asked again when facts of the borrower change, when the tenant's packs change, and by a slow sweep;
`valid_until` ends them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from services.events.reminders import ReminderDue
from services.policy.known import Who
from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("queries_log.sql"))

SWEEP_BATCH = 200

# What a person must mend; operations.md tells how.
CODES = ("held_pack", "held_zone", "held_address", "held_rules", "held_error")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ReminderDue).decode


async def hold(connection: Connection, held: Sequence[tuple[ReminderDue, str]]) -> None:
    """Keep these reminders, each with the code that says what is to be mended."""
    if held:
        await connection.execute(
            SQL["hold"],
            [due.tenant for due, _ in held],
            [due.reminder_id for due, _ in held],
            [due.borrower_id for due, _ in held],
            [due.emission for due, _ in held],
            [code for _, code in held],
            [due.valid_until for due, _ in held],
            [_encode(due) for due, _ in held],
        )


async def let_go(connection: Connection, reminders: Iterable[tuple[str, object]]) -> None:
    """These (tenant, reminder id) are answered, or cancelled."""
    keys = list(reminders)
    if keys:
        await connection.execute(SQL["let_go"], [t for t, _ in keys], [r for _, r in keys])


async def of_borrowers(connection: Connection, whom: Iterable[Who]) -> list[ReminderDue]:
    """What is held of these borrowers; locked until the transaction ends."""
    keys = list(dict.fromkeys(whom))
    rows = await connection.fetch(
        SQL["held_of_borrowers"], [tenant for tenant, _ in keys], [who for _, who in keys]
    )
    return [_decode(row["due"]) for row in rows]


async def to_retry(connection: Connection) -> list[ReminderDue]:
    """The next ones that ran out, waited long enough, or whose tenant's rules have changed by
    now, as was recorded before; locked until the transaction ends."""
    await connection.execute(SQL["hasten_what_changed"])
    rows = await connection.fetch(SQL["held_to_retry"], SWEEP_BATCH)
    return [_decode(row["due"]) for row in rows]
