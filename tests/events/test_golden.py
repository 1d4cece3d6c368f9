"""The wire does not change by accident: a golden message for each event type and version.

A changed event gets a new version and a new golden file; the old file stays and stays readable.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from services.events.codec import Envelope, InvalidMessage, decode, encode
from services.events.loans import DebtChanged
from services.events.topics import TYPES

GOLDEN = {path.stem: path for path in sorted((Path(__file__).parent / "golden").glob("*.json"))}


def golden(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(GOLDEN[name].read_text())
    return content


def decoded(message: dict[str, Any]) -> Envelope:
    return decode(
        topic=message["topic"],
        partition=0,
        offset=0,
        headers=[(name, text.encode()) for name, text in message["headers"].items()],
        value=json.dumps(message["value"]).encode(),
    )


def test_every_event_type_and_version_has_a_golden_message() -> None:
    assert set(TYPES) <= set(GOLDEN)


@pytest.mark.parametrize("name", GOLDEN)
def test_todays_decoder_reads_the_golden_message_whole(name: str) -> None:
    message = golden(name)
    envelope = decoded(message)
    assert msgspec.json.decode(msgspec.json.encode(envelope.event)) == message["value"]
    assert envelope.event_id == message["headers"]["ce_id"]
    assert envelope.source == message["headers"]["ce_source"]


@pytest.mark.parametrize("name", TYPES)
def test_todays_encoder_writes_the_golden_message(name: str) -> None:
    message = golden(name)
    record = encode(
        decoded(message).event,
        source=message["headers"]["ce_source"],
        key=message["key"].encode(),
        event_id=message["headers"]["ce_id"],
        time=datetime(2026, 3, 2, 15, 0, 1, tzinfo=UTC),
    )
    assert record.topic == message["topic"]
    assert {n: content.decode() for n, content in record.headers} == message["headers"]
    assert json.loads(record.value) == message["value"]


# What permits is understood whole or not at all: a scope that we can't read would be none.
PERMITTING = {"dunwell.consent_given.v1", "dunwell.notice_sent.v1"}


@pytest.mark.parametrize("name", sorted(GOLDEN.keys() - PERMITTING))
def test_a_newer_writers_extra_field_is_ignored(name: str) -> None:
    message = golden(name)
    message["value"]["field_of_tomorrow"] = {"a": 1}
    assert decoded(message).event == decoded(golden(name)).event


@pytest.mark.parametrize("name", sorted(PERMITTING))
def test_what_permits_is_refused_with_a_field_that_is_not_known(name: str) -> None:
    message = golden(name)
    message["value"]["channel"] = ["email"]
    with pytest.raises(InvalidMessage, match="unknown field"):
        decoded(message)


def test_a_debt_of_a_writer_that_names_no_source_is_read_without_one() -> None:
    message = golden("dunwell.debt_changed.v1")
    del message["value"]["source"]
    debt = decoded(message).event
    assert isinstance(debt, DebtChanged)
    assert debt.source is None


@pytest.mark.parametrize("name", GOLDEN)
def test_the_cloudevents_sdk_reads_our_messages(name: str) -> None:
    message = golden(name)
    headers = message["headers"]
    event = from_kafka_event(
        KafkaMessage(
            headers={n: text.encode() for n, text in headers.items()},
            key=message["key"].encode(),
            value=json.dumps(message["value"]).encode(),
        )
    )
    assert event.get_specversion() == "1.0"
    assert event.get_type() == name
    assert event.get_id() == headers["ce_id"]
    assert event.get_source() == headers["ce_source"]
    assert event.get_time() == datetime(2026, 3, 2, 15, 0, 1, tzinfo=UTC)
    assert event.get_extension("partitionkey") == message["key"]
    assert event.get_extension("tenant") == "acme"
    assert event.get_data() == message["value"]
