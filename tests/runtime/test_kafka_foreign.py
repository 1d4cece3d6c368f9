"""What other programs write to the lender's topics: transactions, and what no client can read."""

import asyncio
import contextlib
import struct
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.record.util import calc_crc32c_py
from msgspec import structs

from services.events.codec import Envelope, Record, encode
from services.events.reminders import ReminderCancelled
from services.runtime import database as db
from services.runtime import positions, stream_kafka_consumer
from services.runtime.admin import Health
from services.runtime.consume import Rejection, consume
from services.runtime.database import Connection
from services.runtime.outbox import Outbox
from services.runtime.stream import Partition, Stream, Unreadable
from services.runtime.stream_kafka_consumer import KafkaConsumer
from services.runtime.streams import open_stream
from tests.database import Database
from tests.runtime.streams import new_topic, stream_settings

pytestmark = pytest.mark.kafka

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


async def member_of(stream: Stream, topic: str, stored: dict[int, int]) -> KafkaConsumer:
    """A consumer that begins where `stored` says, whenever it is given partitions."""

    async def assigned(partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            consumer.seek(partition, stored.get(partition.number, 0))

    consumer = await stream.consumer(f"group-{topic}", [topic], assigned)
    assert isinstance(consumer, KafkaConsumer)
    return consumer


async def test_what_a_transaction_took_back_is_not_read_and_its_marks_are_no_standstill(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_kafka_consumer, "STALL_SECONDS", 3.0)
    monkeypatch.setattr(stream_kafka_consumer, "LOOK_SECONDS", 0.5)
    async with open_stream(stream_settings("kafka", "postgresql://unused", kafka)) as stream:
        topic = await new_topic(stream, 1)
        lender = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=f"lender-{topic}")
        await lender.start()
        with contextlib.suppress(ZeroDivisionError):
            async with lender.transaction():
                await lender.send_and_wait(topic, b"taken back", key=b"k", partition=0)
                raise ZeroDivisionError
        async with lender.transaction():
            await lender.send_and_wait(topic, b"committed", key=b"k", partition=0)
        await lender.stop()
        stored: dict[int, int] = {}
        consumer = await member_of(stream, topic, stored)
        read: list[bytes] = []
        deadline = time.monotonic() + 60
        while stored.get(0) != 4 and time.monotonic() < deadline:
            for polled in await consumer.poll(100, 0.5):
                assert polled.position == stored.get(0, 0)
                stored[0] = polled.next_offset
                read += [record.value for record in polled.records]
        client = consumer._client
        for _ in range(30):  # five times as long as a standstill takes to be seen
            assert await consumer.poll(100, 0.5) == []
        assert read == [b"committed"]
        assert consumer._client is client
        assert consumer.trouble() is None
        # The marks expire with what they end: the stored position is still in the stream.
        await expire(kafka, topic)
        place = Partition(topic, 0)
        assert await consumer.bounds([place]) == {place: (stored[0], stored[0])}
        await consumer.close()


async def expire(kafka: str, topic: str) -> None:
    """As retention does, with all that is in the topic's only partition."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=-1)})
    await admin.close()


def without_utf8(batch: bytearray) -> bytearray:
    """The header's name in Latin-1, as other clients may send it; and its checksum."""
    batch = batch.replace(b"QQQQQQ", b"caf\xe9QQ")
    struct.pack_into(">I", batch, 17, calc_crc32c_py(batch[21:]))
    return batch


async def send_unreadable(
    lender: AIOKafkaProducer, topic: str, number: int, before: Sequence[bytes]
) -> None:
    """One batch: readable values, then a record that no client reads."""
    batch = lender.create_batch()
    for value in before:
        batch.append(timestamp=None, key=b"k", value=value, headers=[])
    batch.append(timestamp=None, key=b"k", value=b"bad", headers=[("QQQQQQ", b"x")])
    batch._buffer = without_utf8(bytearray(batch._build()))
    await (await lender.send_batch(batch, topic, partition=number))


def cancelled(partition: int) -> Record:
    event = ReminderCancelled(
        tenant="acme",
        reminder_id=uuid4(),
        borrower_id=uuid4(),
        version=1,
        reason="paid",
        cancelled_at=NOW,
    )
    record = encode(event, source="/test", key=b"acme/1", event_id=uuid4(), time=NOW)
    return structs.replace(record, partition=partition)


async def test_a_record_that_the_client_cannot_read_loses_nothing_and_holds_up_only_its_partition(
    kafka: str,
) -> None:
    """In whichever order the client goes through the partitions that it has fetched together."""
    bad, good = 5, [number for number in range(12) if number != 5]
    async with open_stream(stream_settings("kafka", "postgresql://unused", kafka)) as stream:
        topic = await new_topic(stream, 12)
        lender = AIOKafkaProducer(bootstrap_servers=kafka)
        await lender.start()
        for number in range(12):
            await lender.send_and_wait(topic, b"first", key=b"k", partition=number)
        await send_unreadable(lender, topic, bad, [b"before"] * 20)
        stored: dict[int, int] = {}
        consumer = await member_of(stream, topic, stored)
        read: dict[int, list[bytes]] = {number: [] for number in range(12)}
        found: list[Unreadable] = []

        async def until(count: int) -> None:
            deadline = time.monotonic() + 60
            while sum(map(len, read.values())) < count or not found:
                assert time.monotonic() < deadline, (read, found)
                try:
                    for polled in await consumer.poll(100, 0.5):
                        number = polled.partition.number
                        assert polled.position == stored.get(number, 0)
                        stored[number] = polled.next_offset
                        read[number] += [record.value for record in polled.records]
                except UnicodeDecodeError:
                    pass
                except Unreadable as error:
                    found.append(error)
                    consumer.stop(error.partition)

        await until(len(good) + 21)
        for number in good:
            await lender.send_and_wait(topic, b"second", key=b"k", partition=number)
        await until(2 * len(good) + 21)
        assert read == {n: [b"first", b"second"] for n in good} | {
            bad: [b"first"] + [b"before"] * 20
        }
        assert [(e.partition.number, e.position, e.why) for e in found] == [
            (bad, 21, "UnicodeDecodeError")
        ]
        await consumer.close()
        await lender.stop()


async def test_a_service_says_where_it_cannot_read_and_goes_on_where_somebody_passes_the_record(
    empty_kafka: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(positions, "UNREADABLE_SECONDS", 1.0)
    handled: list[int] = []
    health = Health()
    topic, bad = "reminder.cancelled", 5

    async def note(_connection: Connection, batch: Sequence[Envelope]) -> Sequence[Rejection]:
        handled.extend(envelope.partition for envelope in batch)
        return ()

    async with (
        db.pool(database.dsn("policy"), schema="policy") as pool,
        open_stream(stream_settings("kafka", database.dsn("policy"), empty_kafka)) as stream,
    ):
        await stream.ensure_topics()
        producer = await stream.producer()
        lender = AIOKafkaProducer(bootstrap_servers=empty_kafka)
        await lender.start()
        await send_unreadable(lender, topic, bad, [])
        await producer.publish([cancelled(partition=number) for number in range(12)])
        loop = asyncio.create_task(
            consume(
                stream=stream,
                db=pool,
                group="policy",
                handlers={topic: note},
                outbox=Outbox(pool, producer),
                health=health,
            )
        )

        async def until(wanted: Callable[[], Awaitable[bool]]) -> None:
            deadline = time.monotonic() + 60
            while not await wanted():
                assert time.monotonic() < deadline, (handled, await health.unready())
                await asyncio.sleep(0.05)

        async def is_told() -> bool:
            said = (await health.unready()).get(f"consume {topic}", "")
            return f"partition {bad}, offset 0, can't be read: UnicodeDecodeError" in said

        async def all_is_well() -> bool:
            return len(handled) == 12 and not await health.unready()

        await until(is_told)
        for _ in range(60):  # three times as long as until it is tried again
            assert await is_told()
            await asyncio.sleep(0.05)
        assert sorted(handled) == [number for number in range(12) if number != bad]
        await pool.execute(
            "UPDATE stream_positions SET next_offset = 1 WHERE topic = $1 AND partition = $2",
            topic,
            bad,
        )
        await until(all_is_well)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await producer.close()
        await lender.stop()
