"""A service of one handler as a process of its own, to be killed at a named point."""

import asyncio
import json
import sys
from collections.abc import Sequence

import uvloop

from services.events.codec import Envelope, Record
from services.events.reminders import ReminderCancelled
from services.runtime import database
from services.runtime.admin import Health
from services.runtime.consume import Rejection, consume
from services.runtime.database import Connection
from services.runtime.outbox import Outbox, put
from services.runtime.streams import open_stream
from tests.runtime.streams import stream_settings


async def note_and_tell(connection: Connection, batch: Sequence[Envelope]) -> Sequence[Rejection]:
    """Not idempotent on purpose: a batch that is handled twice shows."""
    events = [e.event for e in batch if isinstance(e.event, ReminderCancelled)]
    await connection.execute(
        "INSERT INTO seen (reminder_id, version) SELECT * FROM unnest($1::uuid[], $2::int[])",
        [e.reminder_id for e in events],
        [e.version for e in events],
    )
    await put(
        connection,
        [
            Record(
                topic="borrower.replied",
                key=f"k{e.version % 7}".encode(),
                value=str(e.version).encode(),
                headers=(),
            )
            for e in events
        ],
    )
    return ()


async def main() -> None:
    kind, url, servers = json.loads(sys.argv[1])
    async with (
        open_stream(stream_settings(kind, url, servers)) as stream,
        database.pool(url, schema="policy") as db,
        asyncio.TaskGroup() as tasks,
    ):
        outbox = Outbox(db, await stream.producer())
        tasks.create_task(outbox.run())
        tasks.create_task(
            consume(
                stream=stream,
                db=db,
                group="policy",
                handlers={"reminder.cancelled": note_and_tell},
                outbox=outbox,
                health=Health(),
                max_records=20,
            )
        )


uvloop.run(main())
