"""What happened to one borrower, in order: decisions, contacts, receipts, payments and stops."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from services.runtime import queries
from services.runtime.database import Connection
from services.runtime.web import invalid

SQL = queries.load(Path(__file__).with_name("queries_explain.sql"))

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000

_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_END = datetime(9999, 1, 1, tzinfo=UTC)
# fmt: off
_KINDS = frozenset((
    "decision", "contact", "stop", "stop_lifted", "consent", "consent_revoked", "preference",
    "cancelled", "receipt", "debt", "notice", "notice_returned", "duty", "duty_done",
))
# fmt: on


class Place(NamedTuple):
    """Where a page ended; items are ordered by it."""

    at: datetime
    kind: str
    id: UUID

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}~{self.kind}~{self.id}"


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the past: half-open in time, behind `after`, at most `limit` items."""

    start: datetime = _BEGINNING
    end: datetime = _END
    after: Place | None = None
    limit: int = DEFAULT_LIMIT


def page_of(query: Mapping[str, str]) -> Page:
    """The query of a request: from, to, after, limit.  Raises Problem 422 naming the parameter."""
    return Page(
        start=_instant("from", query["from"]) if "from" in query else _BEGINNING,
        end=_instant("to", query["to"]) if "to" in query else _END,
        after=_place(query["after"]) if "after" in query else None,
        limit=_limit(query["limit"]) if "limit" in query else DEFAULT_LIMIT,
    )


async def timeline(
    connection: Connection, tenant: str, borrower_id: UUID, page: Page
) -> dict[str, Any]:
    """`items` oldest first, and `next`: what to give as `after` for more, None at the end."""
    after = page.after or (None, None, None)
    rows = await connection.fetch(
        SQL["timeline"], tenant, borrower_id, *after, page.start, page.end, page.limit + 1
    )
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    last = Place(shown[-1]["at"], shown[-1]["kind"], shown[-1]["id"]) if more else None
    return {
        "borrower_id": borrower_id,
        "items": [
            {
                "at": row["at"],
                "kind": row["kind"],
                "id": row["id"],
                "said": msgspec.Raw(row["said"].encode()),
            }
            for row in shown
        ],
        "next": str(last) if last else None,
    }


def _instant(name: str, text: str) -> datetime:
    try:
        found = msgspec.convert(text, datetime)
        if found.tzinfo is not None:
            return max(found, _BEGINNING) if found < _END else _END
    except (msgspec.ValidationError, OverflowError):
        pass
    raise invalid(name, "is not an instant", "write 2026-06-01T00:00:00Z")


def _place(text: str) -> Place:
    at, _, rest = text.partition("~")
    kind, _, named = rest.partition("~")
    try:
        if kind in _KINDS:
            return Place(_instant("after", at), kind, UUID(named))
    except ValueError:
        pass
    raise invalid("after", "is not where a page ended", "give the `next` of the page before")


def _limit(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise invalid("limit", "is not a number that is allowed", f"give 1 to {MAX_LIMIT}")
