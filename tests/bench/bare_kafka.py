"""The bare loop: aiokafka consume → decode → encode → produce, one process, nothing kept.

Peer of the three services: what the broker, the client and msgspec cost without any duty.
"""

import asyncio
import time
from datetime import UTC, datetime
from uuid import uuid4

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.events.reminders import ReminderDue
from services.events.words import Channel, Product, Role, Stage

BATCH = 500


def _due(index: int) -> ReminderDue:
    now = datetime.now(UTC)
    return ReminderDue(
        tenant="bench",
        reminder_id=uuid4(),
        emission=1,
        borrower_id=uuid4(),
        loan_id=f"L{index}",
        installment_number=1,
        cycle=0,
        step="T+0",
        days_from_due=0,
        stage=Stage.DUE,
        due_date=now.date(),
        due_at=now,
        valid_until=now,
        priority=40,
        channels=(Channel.SMS,),
        locale="en",
        outstanding_minor=12_300,
        currency="USD",
        product=Product.PERSONAL_LOAN,
        role=Role.CREDITOR,
        days_past_due=0,
    )


async def _send(producer: AIOKafkaProducer, topic: str, values: list[bytes]) -> None:
    batch, sent = producer.create_batch(), []
    for value in values:
        if batch.append(key=None, value=value, timestamp=None) is None:
            sent.append(await producer.send_batch(batch, topic, partition=0))
            batch = producer.create_batch()
            batch.append(key=None, value=value, timestamp=None)
    sent.append(await producer.send_batch(batch, topic, partition=0))
    await asyncio.gather(*sent)


async def run(bootstrap_servers: str, count: int) -> float:
    """Messages a second through one hop."""
    topics = [f"bare-{uuid4().hex[:8]}-{end}" for end in ("in", "out")]
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    await admin.create_topics([NewTopic(t, num_partitions=1, replication_factor=1) for t in topics])
    await admin.close()
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap_servers, acks="all", max_batch_size=1 << 18
    )
    consumer = AIOKafkaConsumer(
        topics[0],
        bootstrap_servers=bootstrap_servers,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        fetch_max_wait_ms=30,
    )
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(ReminderDue)
    await producer.start()
    await consumer.start()
    try:
        values = [encoder.encode(_due(index)) for index in range(count)]
        for start in range(0, count, BATCH):
            await _send(producer, topics[0], values[start : start + BATCH])
        began, done = time.perf_counter(), 0
        while done < count:
            for records in (await consumer.getmany(timeout_ms=100, max_records=BATCH)).values():
                events = [decoder.decode(record.value) for record in records]
                out = [encoder.encode(msgspec.structs.replace(e, emission=2)) for e in events]
                await _send(producer, topics[1], out)
                done += len(records)
        return count / (time.perf_counter() - began)
    finally:
        await consumer.stop()
        await producer.stop()
