"""Apache Kafka from its jars starts, survives kills and leaves nothing behind."""

import hashlib
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from deploy.kafka import fetch
from deploy.kafka.broker import KafkaBroker


async def publish(servers: str, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(topic, value)
    await producer.stop()


async def first_message(servers: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=servers, group_id="reader", auto_offset_reset="earliest"
    )
    await consumer.start()
    message = await consumer.getone()
    await consumer.stop()
    value: bytes = message.value
    return value


@pytest.mark.kafka
async def test_acknowledged_messages_outlive_kill_and_restart_on_the_same_port() -> None:
    async with KafkaBroker() as broker:
        port, folder = broker.port, broker.data_dir
        await broker.create_topics({"kept": 4})
        await broker.create_topics({"kept": 4})
        await publish(broker.bootstrap_servers, "kept", b"before the kill")
        await broker.kill()
        assert broker.pid is None
        await broker.start()
        await broker.restart()
        assert broker.port == port
        assert await first_message(broker.bootstrap_servers, "kept") == b"before the kill"
    assert broker.pid is None
    assert not folder.exists()


@pytest.mark.parametrize("visit", [1, 2])
async def test_an_emptied_kafka_holds_no_topic_of_the_test_before(
    empty_kafka: str, own_kafka: KafkaBroker, visit: int
) -> None:
    await own_kafka.create_topics({"fresh": 2})
    await publish(empty_kafka, "fresh", f"visit {visit}".encode())
    assert await first_message(empty_kafka, "fresh") == f"visit {visit}".encode()


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("one.jar", b"one", ""),
        ("one.jar", b"two", "altered: one.jar"),
        ("two.jar", b"two", "not in the lock: two.jar"),
        ("one.jar", None, "missing: one.jar"),
    ],
)
def test_a_jar_that_differs_from_the_lock_is_named(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    (tmp_path / "one.jar").write_bytes(b"one")
    digest = hashlib.sha256(b"one").hexdigest()
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    assert fetch.differences(tmp_path, {"one.jar": digest}) == complaint


def test_a_given_folder_without_the_jars_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUNWELL_KAFKA_JARS", str(tmp_path))
    with pytest.raises(fetch.KafkaUnavailable, match=r"missing: .*kafka_2\.13"):
        fetch.jars()


def test_without_java_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(fetch.KafkaUnavailable, match="install Java 17 or newer"):
        fetch.java()
