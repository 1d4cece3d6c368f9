"""CloudEvents over the Kafka binary binding: headers carry the envelope, the value is JSON."""

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache, lru_cache
from hashlib import sha1
from uuid import UUID

import msgspec

from services.events.base import TENANT_PATTERN, Event
from services.events.topics import TOPIC_OF, TOPICS, TYPES, wire_type

MAX_VALUE_BYTES = 256 * 1024  # ours are below 2 KB; Kafka itself refuses 1 MB
NAMESPACE = UUID("6f3f4c53-6a3b-5f0e-8a7c-1f2f3b0f7d11")
_NAMESPACE_BYTES = NAMESPACE.bytes

Headers = tuple[tuple[str, bytes], ...]


class InvalidMessage(Exception):
    """Can never be handled as it is: it goes to the dead letters with this reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it is published.  `partition` is set only where a message must reach each."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    partition: int | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it was received and understood."""

    event: Event
    event_id: str
    source: str
    topic: str
    partition: int
    offset: int


def borrower_key(tenant: str, borrower_id: UUID | str) -> bytes:
    """The Kafka key: `tenant/borrower surrogate id`."""
    return f"{tenant}/{borrower_id}".encode()


def derived_id(*parts: object) -> UUID:
    """The same parts give the same id: where \"the same\" must mean the same."""
    name = "/".join([str(part) for part in parts]).encode()
    # What uuid5 does, without its detours: every message has at least one of these.
    digest = sha1(_NAMESPACE_BYTES + name, usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)


_encoder = msgspec.json.Encoder()


@cache
def _decoder(event: type[Event]) -> msgspec.json.Decoder[Event]:
    return msgspec.json.Decoder(event)


@cache
def _static_headers(event: type[Event], source: str) -> Headers:
    return (
        ("ce_specversion", b"1.0"),
        ("ce_type", wire_type(event).encode()),
        ("ce_source", source.encode()),
        ("content-type", b"application/json"),
    )


@lru_cache(maxsize=256)
def _written(time: datetime) -> bytes:
    """An instant in UTC; all messages of a batch have the same."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z").encode()


def encode(
    event: Event,
    *,
    source: str,
    key: bytes,
    event_id: UUID | str,
    time: datetime,
    partition: int | None = None,
) -> Record:
    """An event as a record of its topic; `event_id` is derived from what makes it itself."""
    headers = (
        *_static_headers(type(event), source),
        ("ce_id", str(event_id).encode()),
        ("ce_time", _written(time)),
        ("ce_partitionkey", key),
        ("ce_tenant", event.tenant.encode()),
    )
    return Record(
        topic=TOPIC_OF[type(event)],
        key=key,
        value=_encoder.encode(event),
        headers=headers,
        partition=partition,
    )


def decode(
    *, topic: str, partition: int, offset: int, headers: Iterable[tuple[str, bytes]], value: bytes
) -> Envelope:
    """The event, checked: type known for the topic, right shape, one tenant; or InvalidMessage."""
    fields = dict(headers)
    if len(value) > MAX_VALUE_BYTES:
        raise InvalidMessage("too_large", f"{len(value)} bytes; at most {MAX_VALUE_BYTES}")
    if fields.get("ce_specversion") != b"1.0":
        raise InvalidMessage("not_cloudevents", "header ce_specversion must be 1.0")
    name = _text(fields, "ce_type")
    event_type = TYPES.get(name)
    if event_type is None:
        raise InvalidMessage(
            "unknown_type", "header ce_type names no event type and version we know"
        )
    if event_type not in TOPICS[topic].events:
        raise InvalidMessage("wrong_topic", f"{name} does not belong on {topic}")
    try:
        event = _decoder(event_type).decode(value)
    except msgspec.MsgspecError as error:
        raise InvalidMessage("malformed", _without_values(str(error))) from None
    except UnicodeDecodeError:
        raise InvalidMessage("malformed", "the value is not UTF-8") from None
    except RecursionError:  # also of a field that we don't know and would skip
        raise InvalidMessage("malformed", "the value is nested too deeply") from None
    tenant = fields.get("ce_tenant")
    if tenant is not None and tenant != event.tenant.encode():
        raise InvalidMessage("wrong_tenant", "header ce_tenant differs from the event's tenant")
    return Envelope(
        event=event,
        event_id=_text(fields, "ce_id"),
        source=_text(fields, "ce_source"),
        topic=topic,
        partition=partition,
        offset=offset,
    )


def tenant_of(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The tenant a message claims, if it is a possible one: for the dead letters' listing."""
    claimed = dict(headers).get("ce_tenant", b"").decode("ascii", "replace")
    return claimed if TENANT_PATTERN.match(claimed) else None


def _text(fields: dict[str, bytes], name: str) -> str:
    raw = fields.get(name)
    if not raw or len(raw) > 400:
        raise InvalidMessage("not_cloudevents", f"header {name} is missing or too long")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise InvalidMessage("not_cloudevents", f"header {name} is not UTF-8") from None


def _without_values(message: str) -> str:
    """msgspec quotes an offending enum value; a value may be personal, its path is not."""
    head, _, path = message.partition(" - at `")
    safe = head.split(" '")[0].split(' "')[0]
    return f"{safe} at {path.rstrip('`')}" if path else safe
