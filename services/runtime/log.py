"""Structured logs of ids, codes and counts.  What is not on the list does not get out."""

import logging
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Literal

import msgspec
import structlog

SELDOM_SECONDS = 30.0

# P9: an allow-list, because a deny-list forgets.  Ids, codes, counts, states, times: no person.
# As short as what is said: a path or a row, allowed for later, would let a lender's reference out.
# fmt: off
ALLOWED = frozenset({
    "event", "level", "timestamp", "service", "tenant", "topic", "partition", "offset", "group",
    "reminder_id", "attempt_id", "clearance_id", "stop_id", "loan_count", "packs", "code", "reason",
    "channel", "provider", "status", "error", "count", "retries", "host", "port", "name", "seconds",
    "file", "line",
})
# fmt: on
_dropped: set[str] = set()


def _only_allowed(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key in [key for key in event if key not in ALLOWED]:
        del event[key]
        _dropped.add(key)
    return event


def dropped_keys() -> frozenset[str]:
    """Keys that somebody tried to log and that are not on the list: a test holds this empty."""
    return frozenset(_dropped)


def configure(
    service: str, format_: Literal["json", "console"] = "json", level: str = "info"
) -> None:
    """Set up structlog once, at the start of a process."""
    # asyncio's and aiohttp's own loggers quote requests and exceptions: they are silenced.  A task
    # that nobody awaits has to log the class of its failure itself.
    logging.basicConfig(level=logging.CRITICAL, stream=sys.stderr, format="%(message)s")
    renderer: Any = (
        structlog.processors.JSONRenderer(serializer=lambda event, **_: msgspec.json.encode(event))
        if format_ == "json"
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _only_allowed,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=(
            structlog.BytesLoggerFactory(sys.stderr.buffer)
            if format_ == "json"
            else structlog.PrintLoggerFactory(sys.stderr)
        ),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)


def get() -> Any:
    """The logger; `configure` has bound the service's name to it."""
    return structlog.get_logger()


class Seldom:
    """For what an outage would say hundreds of times: one line each half minute.

    Its `count` is how many there were since the line before.
    """

    def __init__(self) -> None:
        self._said: dict[tuple[object, ...], tuple[float, int]] = {}  # when, and unsaid since

    def warning(self, event: str, *, count: int = 1, **facts: object) -> None:
        key = (event, *facts.values())
        now = time.monotonic()
        said_at, unsaid = self._said.get(key, (now - SELDOM_SECONDS, 0))
        if now - said_at < SELDOM_SECONDS:
            self._said[key] = (said_at, unsaid + count)
            return
        self._said[key] = (now, 0)
        get().warning(event, count=unsaid + count, **facts)
