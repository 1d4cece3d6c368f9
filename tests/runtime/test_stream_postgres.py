"""The stream in PostgreSQL outlives its database: a member goes on beating."""

import asyncio

from services.runtime.streams import open_stream
from tests.database import Database, Tearing
from tests.runtime.streams import Member, new_topic, publish, record, stream_settings


async def test_the_heart_beats_on_after_a_database_that_broke_off(database: Database) -> None:
    settings = stream_settings("postgres", database.dsn("policy"), "")
    async with open_stream(settings) as stream:
        topic = await new_topic(stream, 1)
        member = await Member().join(stream, "group", topic)
        consumer = member.consumer
        consumer._db = Tearing(consumer._db)  # type: ignore[attr-defined]
        torn = consumer._db  # type: ignore[attr-defined]
        while torn.errors:
            assert not consumer._heart.done()  # type: ignore[attr-defined]
            consumer.rearranged.set()  # type: ignore[attr-defined]
            await asyncio.sleep(0.02)
        await publish(stream, [record(topic, "k", "after")])
        await member.until(lambda: member.values == ["after"])
        assert not consumer._heart.done()  # type: ignore[attr-defined]
        await consumer.close()
