"""Dead letters keep the reason and the message, never what is personal, and can be replayed."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.events.addresses import ContactPointGiven
from services.events.codec import Record, encode
from services.runtime.deadletters import (
    MAX_VALUE_BYTES,
    dead_letter,
    list_all_dead_letters,
    list_dead_letters,
    replay,
)
from services.runtime.stream import Partition, Received, Stream
from tests.database import Database
from tests.runtime.streams import Streams, publish
from tests.runtime.test_consume import cancelled

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
PHONE = "+12025550142"


@pytest.fixture
def streams(request: pytest.FixtureRequest, stream_kind: str, database: Database) -> Streams:
    servers = request.getfixturevalue("empty_kafka") if stream_kind == "kafka" else ""
    return Streams(stream_kind, database, servers)


@pytest.fixture
async def stream(streams: Streams) -> AsyncIterator[Stream]:
    async with streams.open() as opened:
        await opened.ensure_topics()
        yield opened


def put_aside(
    record: Record, offset: int = 7, code: str = "unlucky", detail: str = "why"
) -> Record:
    received = Received(offset, record.key, record.value, record.headers)
    return dead_letter(Partition(record.topic, 3), received, code, detail, NOW)


async def test_a_replayed_message_goes_back_whole_and_only_once(stream: Stream) -> None:
    good = [cancelled(n) for n in range(3)]
    await publish(stream, [put_aside(record, offset) for offset, record in enumerate(good)])
    letters = await list_dead_letters(stream, ["reminder.cancelled"])
    assert [(x.code, x.tenant, x.partition, x.offset, x.at) for x in letters] == [
        ("unlucky", "acme", 3, n, NOW) for n in range(3)
    ]
    assert await replay(stream, letters[:2]) == 2
    assert len(await list_dead_letters(stream, ["reminder.cancelled"])) == 1
    assert len(await list_all_dead_letters(stream, ["reminder.cancelled"])) == 3
    back = [
        (polled.partition.number, message.key, message.value, message.headers)
        async for polled in stream.scan(["reminder.cancelled"])
        for message in polled.records
    ]
    assert back == [(3, r.key, r.value, r.headers) for r in good[:2]]


async def test_what_is_not_ours_among_the_dead_letters_harms_nothing(stream: Stream) -> None:
    alien = Record(topic="loan.events.dlq", key=b"", value=b"x", headers=(("dlq_at", b"?"),))
    await publish(stream, [alien])
    assert await list_dead_letters(stream, ["loan.events"]) == []


def test_a_lenders_key_is_not_copied() -> None:
    record = Record(
        topic="loan.events",
        key=PHONE.encode(),
        value=b"{",
        headers=(("ce_partitionkey", PHONE.encode()), ("ce_tenant", b"acme")),
    )
    letter = put_aside(record)
    assert PHONE.encode() not in letter.key
    assert PHONE not in str(letter.headers)
    assert ("ce_tenant", b"acme") in letter.headers
    assert letter.value == b"{"


def test_an_address_that_is_not_sealed_is_withheld() -> None:
    record = Record(topic="address.events", key=b"k", value=PHONE.encode(), headers=())
    letter = put_aside(record, code="malformed")
    assert letter.value == b""
    assert dict(letter.headers)["dlq_withheld"] == b"true"


def test_a_sealed_address_is_kept_sealed() -> None:
    event = ContactPointGiven(
        tenant="acme", borrower_ref="B-1", version=1, key_id="old", sealed=b"\x00\x01"
    )
    record = encode(event, source="/lender", key=b"k", event_id=uuid4(), time=NOW)
    assert put_aside(record).value == record.value


def test_a_dead_letter_fits_into_the_stream_however_large_the_message_was() -> None:
    record = Record(
        topic="loan.events",
        key=b"k",
        value=b"x" * (MAX_VALUE_BYTES + 1),
        headers=(("note", b"y" * 100_000), ("ce_tenant", b"acme")),
    )
    letter = put_aside(record, code="too_large")
    assert letter.value == b""
    assert sum(len(content) for _, content in letter.headers) < 1000


async def dunwell(streams: Streams, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services",
        *arguments,
        env=os.environ
        | {
            "DUNWELL_STREAM": streams.kind,
            "DUNWELL_DATABASE_URL": streams.database.dsn("policy"),
            "DUNWELL_KAFKA_BOOTSTRAP_SERVERS": streams.bootstrap_servers or "127.0.0.1:1",
            "DUNWELL_IDENTITY_KEY": "i" * 32,
            "DUNWELL_API_KEY_PEPPER": "p" * 32,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return output.decode()


async def test_the_command_lists_and_replays(streams: Streams, stream: Stream) -> None:
    broken = Record(
        topic="loan.events", key=b"k", value=PHONE.encode(), headers=(("ce_tenant", b"acme"),)
    )
    details = ("no amount", "no date", "no date", "no date")
    await publish(
        stream, [put_aside(broken, n, "malformed", said) for n, said in enumerate(details)]
    )
    listed = await dunwell(streams, "dlq", "list")
    rows = [line.split() for line in listed.splitlines() if "malformed" in line]
    assert [(row[3], row[-2:]) for row in rows] == [("3", ["no", "date"]), ("1", ["no", "amount"])]
    assert "malformed" in listed
    assert "acme" in listed
    assert "4 in all" in listed
    assert PHONE not in listed
    chosen = ("--topic", "loan.events", "--code", "malformed", "--limit", "3")
    assert "3 would be replayed" in await dunwell(streams, "dlq", "replay", *chosen, "--dry-run")
    assert "3 replayed" in await dunwell(streams, "dlq", "replay", *chosen)
    assert "1 replayed" in await dunwell(streams, "dlq", "replay")
    said = await dunwell(streams, "dlq", "list")
    # Of the wrong stream that would be false good news: it says which was asked.
    where = "Kafka at " if streams.kind == "kafka" else "the stream of PostgreSQL at "
    assert said.startswith(f"No dead letters on {where}")
    assert "is none of" in await dunwell(streams, "dlq", "list", "--topic", "nowhere")
    mistyped = await dunwell(streams, "dlq", "list", "--code", "malfromed")
    assert "'malfromed' is none of: not_cloudevents" in " ".join(mistyped.split())
    assert "No dead letters" not in mistyped
