"""The stream on Apache Kafka: topics, the producer, and where consumers come from."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    NodeNotReadyError,
    NoError,
    TopicAlreadyExistsError,
    for_code,
)
from aiokafka.helpers import create_ssl_context
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from services.events.codec import Record
from services.events.topics import DEAD_LETTER_SUFFIX, LENDERS_TOPICS
from services.runtime import log
from services.runtime.settings import PREFIX, StreamSettings
from services.runtime.stream import (
    OnAssigned,
    Partition,
    Polled,
    all_topics,
    partition_of,
)
from services.runtime.stream_kafka_consumer import KafkaConsumer, received

BATCH_BYTES = 256 * 1024
REQUEST_SECONDS = 10.0
CLOSE_SECONDS = 5.0
JOIN_SECONDS = 30.0
KEEP_DEAD_LETTERS_DAYS = 30


class TopicsWrong(Exception):
    """The cluster's topics can't be used as they are; the text says which and why."""


class KafkaProducer:
    """One batch a partition and publish, never one awaited send a message (20 times slower).

    Not Kafka's idempotent producer: aiokafka's never gives a batch up, so that an outage would hang
    the relay, and a sequence error ends it for good.  What a retry can double, the consumers drop:
    they are idempotent by business key in any case.  The order holds without it: aiokafka has one
    request under way per partition, and repeats it before any later one.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._client: AIOKafkaProducer | None = None

    async def publish(self, records: Sequence[Record]) -> None:
        if not records:
            return
        client = await self._started()
        counts = {
            topic: len(await client.partitions_for(topic))
            for topic in {record.topic for record in records}
        }
        batches: dict[tuple[str, int], list[Record]] = {}
        for record in records:
            number = record.partition
            if number is None:
                number = partition_of(record.key, counts[record.topic])
            batches.setdefault((record.topic, number), []).append(record)
        # All are queued before the sender wakes, so one request a broker takes them: no linger.
        answers = await asyncio.gather(
            *(self._send(client, *place, batch) for place, batch in batches.items()),
            return_exceptions=True,
        )
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer

    async def close(self) -> None:
        """Whatever is not acknowledged by now was not published."""
        if self._client is not None:
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(self._client.stop(), CLOSE_SECONDS)

    async def _started(self) -> AIOKafkaProducer:
        if self._client is None:
            client = AIOKafkaProducer(
                **self._options,
                acks="all",
                max_batch_size=BATCH_BYTES,
                request_timeout_ms=int(REQUEST_SECONDS * 1000),
            )
            try:
                await client.start()
            except BaseException:
                await client.stop()
                raise
            self._client = client
        return self._client

    @staticmethod
    async def _send(
        client: AIOKafkaProducer, topic: str, number: int, records: Sequence[Record]
    ) -> None:
        """In order: what does not fit into one batch waits until that is acknowledged."""
        batch = client.create_batch()
        for record in records:
            fields = {"key": record.key, "value": record.value, "headers": [*record.headers]}
            if batch.append(timestamp=None, **fields) is None:
                await _acknowledged(await client.send_batch(batch, topic, partition=number))
                batch = client.create_batch()
                batch.append(timestamp=None, **fields)
        await _acknowledged(await client.send_batch(batch, topic, partition=number))


class KafkaStream:
    """Holds the options of every client; each consumer has a connection of its own."""

    def __init__(self, settings: StreamSettings) -> None:
        # At debug it quotes keys and values, in an outage it says the same ten times a second; what
        # matters the consumer loop and the relay say themselves.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
        self._options = connection_options(settings)
        self._session_seconds = settings.kafka_session_timeout_seconds
        self._replication = settings.kafka_replication_factor

    # A broker that has just started, or stood still, answers for a moment that there is none, and
    # an admin client that heard so never asks again: each try is a new one.
    @retry(
        retry=retry_if_exception_type(NodeNotReadyError),
        stop=stop_after_delay(JOIN_SECONDS),
        wait=wait_fixed(0.2),
        reraise=True,
    )
    async def ensure_topics(self, topics: Mapping[str, int] | None = None) -> None:
        wanted = all_topics() if topics is None else dict(topics)
        admin = AIOKafkaAdminClient(**self._options)
        try:
            await admin.start()
            there = await _partition_counts(admin, wanted)
            # Of the lenders' topics any number of partitions will do: we choose no keys there.
            wrong = [
                f"{name} has {count} partitions instead of {wanted[name]}"
                for name, count in there.items()
                if name not in LENDERS_TOPICS and count != wanted[name]
            ]
            if wrong:
                raise TopicsWrong(
                    "; ".join(wrong) + ". Keys would land elsewhere: make the topic anew."
                )
            missing = [name for name in wanted if name not in there]
            await self._create(admin, {name: wanted[name] for name in missing})
            while missing and set(missing) - set(await _partition_counts(admin, missing)):
                await asyncio.sleep(0.05)
        finally:
            await admin.close()
        if missing:
            await self._led({name: wanted[name] for name in missing})

    async def producer(self) -> KafkaProducer:
        return KafkaProducer(self._options)

    async def consumer(
        self, group: str, topics: Sequence[str], on_assigned: OnAssigned
    ) -> KafkaConsumer:
        consumer = KafkaConsumer(self._options, group, topics, on_assigned, self._session_seconds)
        try:
            await consumer.start()
        except (KafkaError, OSError) as error:
            servers, name = self._options["bootstrap_servers"], f"{PREFIX}KAFKA_BOOTSTRAP_SERVERS"
            log.get().warning(
                "kafka_unreachable", host=servers, name=name, error=type(error).__name__
            )
            raise
        return consumer

    async def scan(self, topics: Sequence[str]) -> AsyncIterator[Polled]:
        client = AIOKafkaConsumer(
            **self._options, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        try:
            await client.start()
            places = [
                TopicPartition(topic, number)
                for topic, count in (await self._count(topics)).items()
                for number in range(count)
            ]
            if not places:
                return
            client.assign(places)
            firsts = await client.beginning_offsets(places)
            ends = await client.end_offsets(places)
            for place in places:
                position = firsts[place]
                client.seek(place, position)
                while position < ends[place]:
                    records = (await client.getmany(place, timeout_ms=200)).get(place, ())
                    # Control records have no message: the client's position passes them.
                    began, position = position, await client.position(place)
                    if batch := tuple(received(r) for r in records if r.offset < ends[place]):
                        yield Polled(Partition(*place), began, batch, position)
        finally:
            await client.stop()

    async def close(self) -> None:
        """Consumers and producers are closed by who asked for them."""

    async def _led(self, topics: Mapping[str, int]) -> None:
        """Wait until every partition's leader answers: a new one refuses for a while (error 6)."""
        client = AIOKafkaConsumer(**self._options, enable_auto_commit=False)
        try:
            await client.start()
            await client.end_offsets(
                [TopicPartition(name, n) for name, count in topics.items() for n in range(count)]
            )
        finally:
            await client.stop()

    async def _count(self, topics: Sequence[str]) -> dict[str, int]:
        admin = AIOKafkaAdminClient(**self._options)
        try:
            await admin.start()
            return await _partition_counts(admin, topics)
        finally:
            await admin.close()

    async def _create(self, admin: AIOKafkaAdminClient, topics: Mapping[str, int]) -> None:
        if not topics:
            return
        month = {"retention.ms": str(KEEP_DEAD_LETTERS_DAYS * 24 * 3600 * 1000)}
        new = [
            NewTopic(
                name=name,
                num_partitions=count,
                replication_factor=self._replication,
                topic_configs=month if name.endswith(DEAD_LETTER_SUFFIX) else {},
            )
            for name, count in topics.items()
        ]
        answer = await admin.create_topics(new, timeout_ms=int(REQUEST_SECONDS * 1000))
        for name, code, *_ in answer.topic_errors:
            error = for_code(code)
            if error not in (NoError, TopicAlreadyExistsError):
                raise TopicsWrong(f"topic {name} could not be created: {error.__name__}")


def connection_options(settings: StreamSettings) -> dict[str, Any]:
    """What every aiokafka client is told; SASL and TLS are passed through."""
    encrypted = settings.kafka_security_protocol in ("SSL", "SASL_SSL")
    password = settings.kafka_sasl_password
    return {
        "bootstrap_servers": settings.kafka_bootstrap_servers,
        "client_id": "dunwell",
        "security_protocol": settings.kafka_security_protocol,
        "sasl_mechanism": settings.kafka_sasl_mechanism,
        "sasl_plain_username": settings.kafka_sasl_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "ssl_context": create_ssl_context(
            cafile=settings.kafka_ssl_cafile,
            certfile=settings.kafka_ssl_certfile,
            keyfile=settings.kafka_ssl_keyfile,
        )
        if encrypted
        else None,
    }


async def _acknowledged(answer: "asyncio.Future[Any]") -> None:
    """A publish that is cancelled leaves the batch to aiokafka: its late error is nobody's."""
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    await asyncio.wait({answer})
    answer.result()


async def _partition_counts(admin: AIOKafkaAdminClient, names: Iterable[str]) -> dict[str, int]:
    """Of those that exist."""
    existing = set(await admin.list_topics()) & set(names)
    described = await admin.describe_topics(sorted(existing)) if existing else []
    return {topic["topic"]: len(topic["partitions"]) for topic in described if topic["partitions"]}
