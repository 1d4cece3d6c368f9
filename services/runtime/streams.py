"""Opens the stream that the settings name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.runtime import database
from services.runtime.settings import StreamSettings
from services.runtime.stream import Stream
from services.runtime.stream_kafka import KafkaStream
from services.runtime.stream_postgres import PostgresStream


@asynccontextmanager
async def open_stream(settings: StreamSettings) -> AsyncIterator[Stream]:
    """Kafka or PostgreSQL; close its producers and consumers before it."""
    stream: Stream
    if settings.stream == "kafka":
        stream = KafkaStream(settings)
        try:
            yield stream
        finally:
            await stream.close()
        return
    url = settings.postgres_url
    async with database.pool(url, schema="stream", max_size=8) as db:
        stream = PostgresStream(db, url, settings.kafka_session_timeout_seconds)
        try:
            yield stream
        finally:
            await stream.close()
