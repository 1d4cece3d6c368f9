"""The Kafka stream outlives its broker: nothing hangs silently after a restart."""

import asyncio
import time

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, NodeNotReadyError

from deploy.kafka.broker import KafkaBroker
from services.runtime import stream_kafka_consumer
from services.runtime.stream import Partition
from services.runtime.stream_kafka import TopicsWrong, connection_options
from services.runtime.streams import open_stream
from tests.runtime.streams import Member, new_topic, record, stream_settings

pytestmark = pytest.mark.kafka


async def test_consumer_and_producer_go_on_after_the_brokers_restart() -> None:
    """Killed, not stopped: nobody is told (aio-libs/aiokafka#1154)."""
    async with (
        KafkaBroker() as broker,
        open_stream(stream_settings("kafka", "postgresql://unused", broker.bootstrap_servers)) as s,
    ):
        topic = await new_topic(s, 3)
        producer = await s.producer()
        member = await Member().join(s, "group", topic)
        await producer.publish([record(topic, str(n), str(n)) for n in range(30)])
        await member.until(lambda: len(set(member.values)) == 30)
        await broker.kill()
        # While it is away: no answer, and no end of the world.
        with pytest.raises((KafkaError, TimeoutError)):
            await asyncio.wait_for(producer.publish([record(topic, "x", "unanswered")]), 2)
        await broker.start()
        member.start = {Partition(topic, n): 0 for n in range(3)}
        deadline = time.monotonic() + 60
        while True:
            try:
                await producer.publish([record(topic, "after", "after")])
                break
            except KafkaError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.5)
        while "after" not in member.values:
            assert time.monotonic() < deadline, "the consumer stands still"
            try:
                await member.poll()
            except (KafkaError, TimeoutError):
                await asyncio.sleep(0.5)
        await member.consumer.close()
        await producer.close()


async def test_a_client_that_stands_still_is_made_anew(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its tasks are alive, its heart beats, and it fetches nothing: so did #1154 look."""
    monkeypatch.setattr(stream_kafka_consumer, "STALL_SECONDS", 3.0)
    monkeypatch.setattr(stream_kafka_consumer, "LOOK_SECONDS", 0.5)
    async with open_stream(stream_settings("kafka", "postgresql://unused", kafka)) as stream:
        topic = await new_topic(stream, 1)
        producer = await stream.producer()
        member = await Member().join(stream, f"group-{topic}", topic)
        await member.until(lambda: bool(member.consumer.assignment()))
        # Paused behind our wrapper's back.
        client = member.consumer._client  # type: ignore[attr-defined]
        client.pause(*client.assignment())
        await producer.publish([record(topic, "k", "waiting")])
        await member.until(lambda: member.values == ["waiting"])
        assert member.consumer._client is not client  # type: ignore[attr-defined]
        await member.consumer.close()
        await producer.close()


async def test_a_topic_with_the_wrong_number_of_partitions_is_refused(kafka: str) -> None:
    async with open_stream(stream_settings("kafka", "postgresql://unused", kafka)) as stream:
        topic = await new_topic(stream, 3)
        with pytest.raises(TopicsWrong, match="has 3 partitions instead of 5"):
            await stream.ensure_topics({topic: 5})


def test_sasl_and_tls_are_passed_through() -> None:
    settings = stream_settings("kafka", "postgresql://unused", "broker:9093").model_copy(
        update={
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_sasl_username": "dunwell",
        }
    )
    options = connection_options(settings)
    assert options["security_protocol"] == "SASL_SSL"
    assert options["sasl_mechanism"] == "SCRAM-SHA-512"
    assert options["sasl_plain_username"] == "dunwell"
    assert options["ssl_context"].check_hostname


async def test_topics_are_made_though_the_cluster_says_for_a_moment_that_it_has_no_broker(
    kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen once in four times of a broker that stood still for longer than its session."""
    listing, refused = AIOKafkaAdminClient.list_topics, []

    async def seldom(admin: AIOKafkaAdminClient) -> list[str]:
        if not refused:
            refused.append(admin)
        if admin is refused[0]:  # it never learns of another broker
            raise NodeNotReadyError("no node")
        return await listing(admin)

    monkeypatch.setattr(AIOKafkaAdminClient, "list_topics", seldom)
    async with open_stream(stream_settings("kafka", "postgresql://unused", kafka)) as stream:
        name = await new_topic(stream, 1)
        await stream.ensure_topics({name: 1})
    assert len(refused) == 1
