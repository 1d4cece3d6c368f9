"""Dead letters: what can never be handled, with its reason, and its way back."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

import msgspec

from services.events.codec import Headers, InvalidMessage, Record, decode, tenant_of
from services.events.topics import DEAD_LETTER_SUFFIX, LENDERS_TOPICS, TOPICS
from services.runtime.stream import Partition, Polled, Received, Stream

MAX_VALUE_BYTES = 900 * 1024  # with its headers a dead letter must still fit into Kafka's 1 MB
MAX_DETAIL = 300
# Why a message is put aside: what can't be decoded, what a service refuses, what breaks the rules
# of the database.
CODES = (
    "not_cloudevents", "unknown_type", "wrong_topic", "malformed", "too_large", "wrong_tenant",
    "invalid", "unsealable", "invalid_address", "handler_failed",
)  # fmt: skip


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """One message that was put aside."""

    topic: str  # it came from
    partition: int
    offset: int
    code: str
    detail: str
    tenant: str | None
    at: datetime  # real time
    place: tuple[int, int]  # partition and offset among the dead letters
    withheld: bool  # its value could not be kept
    record: Record  # as it would go back


def dead_letter(
    partition: Partition, received: Received, code: str, detail: str, at: datetime
) -> Record:
    """The message with its reason; never a lender's key, never an address that is not sealed."""
    value, headers = received.value, received.headers
    withheld = len(value) > MAX_VALUE_BYTES or (
        TOPICS[partition.topic].sealed and not _is_well_formed(partition, received)
    )
    # A key that a lender chose may be a phone number: P9 allows none in ours.
    lenders = partition.topic in LENDERS_TOPICS
    if lenders:
        headers = tuple(header for header in headers if header[0] != "ce_partitionkey")
    if withheld or sum(len(name) + len(content) for name, content in headers) > 50_000:
        headers = tuple(h for h in headers if h[0].startswith("ce_") and len(h[1]) <= 400)
    reasons = {
        "dlq_reason": code,
        "dlq_detail": detail[:MAX_DETAIL],
        "dlq_topic": partition.topic,
        "dlq_partition": str(partition.number),
        "dlq_offset": str(received.offset),
        "dlq_at": at.astimezone(UTC).isoformat(),
    } | ({"dlq_withheld": "true"} if withheld else {})
    return Record(
        topic=partition.topic + DEAD_LETTER_SUFFIX,
        key=_id(partition, received.offset) if lenders else received.key,
        value=b"" if withheld else value,
        headers=(
            *_without_ours(headers),
            *((name, text.encode()) for name, text in reasons.items()),
        ),
    )


async def list_dead_letters(stream: Stream, topics: Sequence[str]) -> list[DeadLetter]:
    """What has been put aside from these topics and not been replayed, oldest first."""
    found, replayed = await _read(stream, topics)
    return [letter for letter in found if _marker(letter) not in replayed]


async def list_all_dead_letters(stream: Stream, topics: Sequence[str]) -> list[DeadLetter]:
    """The same with those that have been replayed."""
    found, _ = await _read(stream, topics)
    return found


async def replay(stream: Stream, letters: Sequence[DeadLetter]) -> int:
    """Publish them to the topics and partitions they came from; returns how many.

    A mark among the dead letters says that it was done, so that a second replay leaves them out.
    A crash before the mark replays again: handlers are idempotent.
    """
    able = [letter for letter in letters if not letter.withheld]
    producer = await stream.producer()
    try:
        for start in range(0, len(able), 500):
            part = able[start : start + 500]
            await producer.publish([letter.record for letter in part])
            await producer.publish([_mark(letter) for letter in part])
    finally:
        await producer.close()
    return len(able)


async def _read(
    stream: Stream, topics: Sequence[str]
) -> tuple[list[DeadLetter], set[tuple[str, str]]]:
    letters: list[DeadLetter] = []
    replayed: set[tuple[str, str]] = set()
    scan: AsyncIterator[Polled] = stream.scan([topic + DEAD_LETTER_SUFFIX for topic in topics])
    async for polled in scan:
        source = polled.partition.topic.removesuffix(DEAD_LETTER_SUFFIX)
        for received in polled.records:
            fields = dict(received.headers)
            if "dlq_replayed" in fields:
                replayed.add((source, fields["dlq_replayed"].decode("ascii", "replace")))
            elif letter := _understand(source, polled.partition.number, received, fields):
                letters.append(letter)
    letters.sort(key=lambda letter: (letter.at, letter.topic, letter.partition, letter.offset))
    return letters, replayed


def _understand(
    source: str, number: int, received: Received, fields: dict[str, bytes]
) -> DeadLetter | None:
    text = {name: content.decode("utf-8", "replace") for name, content in fields.items()}
    try:
        partition, offset = int(text["dlq_partition"]), int(text["dlq_offset"])
        at = datetime.fromisoformat(text["dlq_at"])
    except (KeyError, ValueError):
        return None  # not one of ours
    lenders = source in LENDERS_TOPICS
    return DeadLetter(
        topic=source,
        partition=partition,
        offset=offset,
        code=text.get("dlq_reason", "unknown"),
        detail=text.get("dlq_detail", ""),
        tenant=tenant_of(received.headers),
        at=at,
        place=(number, received.offset),
        withheld=text.get("dlq_withheld") == "true",
        record=Record(
            topic=source,
            key=_id(Partition(source, partition), offset) if lenders else received.key,
            value=received.value,
            headers=_without_ours(received.headers),
            partition=partition,  # where it was: the lender's key is not known any more
        ),
    )


def _mark(letter: DeadLetter) -> Record:
    return Record(
        topic=letter.topic + DEAD_LETTER_SUFFIX,
        key=letter.record.key,
        value=b"",
        headers=(("dlq_replayed", _marker(letter)[1].encode()),),
        partition=letter.place[0],
    )


def _marker(letter: DeadLetter) -> tuple[str, str]:
    return letter.topic, f"{letter.place[0]}/{letter.place[1]}"


def _id(partition: Partition, offset: int) -> bytes:
    return f"{partition.topic}/{partition.number}/{offset}".encode()


def _without_ours(headers: Headers) -> Headers:
    return tuple(header for header in headers if not header[0].startswith("dlq_"))


def _is_well_formed(partition: Partition, received: Received) -> bool:
    """Only then is what has to be sealed known to be sealed."""
    try:
        decode(
            topic=partition.topic,
            partition=partition.number,
            offset=received.offset,
            headers=received.headers,
            value=received.value,
        )
    except InvalidMessage:
        return False
    return True
