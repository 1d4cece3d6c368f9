"""What other programs write to the lender's topics: transactions, and what no client can read."""

import contextlib
import struct
import time
from collections.abc import Iterable

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c_py

from services.runtime import stream_kafka_consumer
from services.runtime.stream import Partition, Stream
from services.runtime.stream_kafka_consumer import KafkaConsumer
from services.runtime.streams import open_stream
from tests.runtime.streams import new_topic, stream_settings

pytestmark = pytest.mark.kafka


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
        while not read and time.monotonic() < deadline:
            for polled in await consumer.poll(100, 0.5):
                stored[0] = polled.next_offset
                read += [record.value for record in polled.records]
        client = consumer._client
        for _ in range(30):  # five times as long as a standstill takes to be seen
            assert await consumer.poll(100, 0.5) == []
        assert read == [b"committed"]
        assert consumer._client is client
        assert consumer.trouble() is None
        await consumer.close()


def without_utf8(batch: bytearray) -> bytearray:
    """The header's name in Latin-1, as other clients may send it; and its checksum."""
    batch = batch.replace(b"QQQQQQ", b"caf\xe9QQ")
    struct.pack_into(">I", batch, 17, calc_crc32c_py(batch[21:]))
    return batch


async def test_a_record_that_the_client_cannot_read_loses_nothing_and_holds_up_only_its_partition(
    kafka: str,
) -> None:
    """In whichever order the client goes through the partitions that it has fetched together."""
    bad, good = 5, [number for number in range(12) if number != 5]
    async with open_stream(stream_settings("kafka", "postgresql://unused", kafka)) as stream:
        topic = await new_topic(stream, 12)
        lender = AIOKafkaProducer(bootstrap_servers=kafka)
        await lender.start()
        for number in good:
            await lender.send_and_wait(topic, b"first", key=b"k", partition=number)
        batch = lender.create_batch()
        batch.append(timestamp=None, key=b"k", value=b"bad", headers=[("QQQQQQ", b"x")])
        batch._buffer = without_utf8(bytearray(batch._build()))
        await (await lender.send_batch(batch, topic, partition=bad))
        stored: dict[int, int] = {}
        consumer = await member_of(stream, topic, stored)
        read: dict[int, list[bytes]] = {number: [] for number in range(12)}
        refused = 0

        async def until(count: int) -> None:
            nonlocal refused
            deadline = time.monotonic() + 60
            while sum(map(len, read.values())) < count or not refused:
                assert time.monotonic() < deadline, (read, refused)
                try:
                    for polled in await consumer.poll(100, 0.5):
                        number = polled.partition.number
                        assert polled.position == stored.get(number, 0)
                        stored[number] = polled.next_offset
                        read[number] += [record.value for record in polled.records]
                except UnicodeDecodeError:
                    refused += 1

        await until(len(good))
        for number in good:
            await lender.send_and_wait(topic, b"second", key=b"k", partition=number)
        await until(2 * len(good))
        assert read == {n: [b"first", b"second"] for n in good} | {bad: []}
        await consumer.close()
        await lender.stop()
