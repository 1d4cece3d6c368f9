"""Who is reached where: a lender's list merged into ours, versioned, told without addresses."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import msgspec

from services.events.codec import Record
from services.events.words import Place, PointKind, ProvidedBy
from services.notifier import contact_points
from services.notifier.addresses import Address, Keyring, at_rest, contact_point_id
from services.notifier.store import Owner
from services.runtime import queries
from services.runtime.database import Connection

SQL = queries.load(Path(__file__).with_name("address_book.sql"))


class Given(NamedTuple):
    """What a lender gave of one borrower; `whole`: the whole list, what isn't in it is removed."""

    tenant: str
    borrower_id: UUID
    version: int
    addresses: tuple[Address, ...]
    whole: bool


class Entry(msgspec.Struct):
    """One line of a borrower's book; `fresh` is the address to seal if this write adds it."""

    kind: PointKind
    position: int
    given_version: int
    version: int
    removed: bool
    place: Place
    provided_by: ProvidedBy
    fresh: str | None = None
    changed: bool = False
    added: bool = False  # the list before had it not


class Book(msgspec.Struct):
    """A borrower's book; `version` is that of the last whole list."""

    version: int
    entries: dict[str, Entry]


def merge(book: Book, given: Given, ids: Sequence[str]) -> bool:
    """Write `given` into the book; False if it is older than what the book has.

    A whole list replaces the book.  A single address replaces those of its kind that were given
    with a lower version; several of one version stand side by side.
    """
    kinds = {address.kind for address in given.addresses}
    newest = book.version
    if not given.whole:
        same_kind = (e.given_version for e in book.entries.values() if e.kind in kinds)
        newest = max(newest, *same_kind, 0)
    if given.version < newest:
        return False
    for place, (point_id, address) in enumerate(zip(ids, given.addresses, strict=True)):
        _enter(book, point_id, address, place, given)
    for point_id, entry in book.entries.items():
        superseded = given.whole or (entry.kind in kinds and entry.given_version < given.version)
        if superseded and point_id not in ids and not entry.removed:
            entry.removed, entry.changed = True, True
            entry.version += 1
    if given.whole:
        book.version = given.version
    return True


def _enter(book: Book, point_id: str, address: Address, place: int, given: Given) -> None:
    old = book.entries.get(point_id)
    position = place if given.whole else old.position if old else len(book.entries)
    same = (position, address.kind, address.place, address.provided_by)
    if old and not old.removed and same == (old.position, old.kind, old.place, old.provided_by):
        if old.given_version != given.version:
            old.given_version, old.fresh = given.version, address.value
        return
    book.entries[point_id] = Entry(
        kind=address.kind,
        position=position,
        given_version=given.version,
        version=old.version + 1 if old else 1,
        removed=False,
        place=address.place,
        provided_by=address.provided_by,
        fresh=address.value,
        changed=True,
        added=old is None or old.removed,
    )


async def write(
    connection: Connection,
    identity_key: bytes,
    keyring: Keyring,
    batch: Sequence[Given],
    now: datetime,
) -> tuple[list[Record], list[tuple[bool, list[str]]]]:
    """Merge a batch in its order; records to publish, and per item whether it counted, and ids."""
    ids = [
        [contact_point_id(identity_key, given.tenant, address) for address in given.addresses]
        for given in batch
    ]
    await _know(connection, batch, ids)
    books = await _locked_books(connection, [(g.tenant, g.borrower_id) for g in batch])
    answers = [
        (merge(books[given.tenant, given.borrower_id], given, point_ids), point_ids)
        for given, point_ids in zip(batch, ids, strict=True)
    ]
    await _save(connection, keyring, books)
    told = await _told(connection, books, now)
    return told + await contact_points.revive(connection, _added(books), now), answers


def _added(books: dict[Owner, Book]) -> set[tuple[str, str]]:
    """Contact points that a lender had not, or took away and gives again.

    Not those that are only named once more: a nightly list would bring every dead number back.
    """
    return {
        (tenant, point_id)
        for (tenant, _), book in books.items()
        for point_id, entry in book.entries.items()
        if entry.added and not entry.removed
    }


async def _know(
    connection: Connection, batch: Sequence[Given], ids: Sequence[Sequence[str]]
) -> None:
    rows = [
        (g.tenant, point_id, address.kind, address.country, msgspec.to_builtins(address.zones))
        for g, point_ids in zip(batch, ids, strict=True)
        for point_id, address in zip(point_ids, g.addresses, strict=True)
    ]
    await connection.execute(SQL["know_tenants"], [given.tenant for given in batch])
    if rows:
        await connection.execute(SQL["know_points"], *map(list, zip(*rows, strict=True)))


async def _locked_books(connection: Connection, owners: Sequence[Owner]) -> dict[Owner, Book]:
    tenants, borrowers = [t for t, _ in owners], [b for _, b in owners]
    await connection.execute(SQL["open_books"], tenants, borrowers)
    books = {
        (row["tenant"], row["borrower_id"]): Book(row["version"], {})
        for row in await connection.fetch(SQL["lock_books"], tenants, borrowers)
    }
    for row in await connection.fetch(SQL["addresses_of"], tenants, borrowers):
        books[row["tenant"], row["borrower_id"]].entries[row["contact_point_id"]] = Entry(
            kind=PointKind(row["kind"]),
            position=row["position"],
            given_version=row["given_version"],
            version=row["version"],
            removed=row["removed"],
            place=row["place"],
            provided_by=row["provided_by"],
        )
    return books


async def _save(connection: Connection, keyring: Keyring, books: dict[Owner, Book]) -> None:
    rows = []
    for (tenant, borrower_id), book in books.items():
        for point_id, e in book.entries.items():
            if e.fresh is None and not e.changed:
                continue
            sealed = None
            if e.fresh is not None and not e.removed:
                context = at_rest(tenant, borrower_id, point_id)
                sealed = keyring.seal(context, e.fresh.encode())
            key_id = keyring.current
            rest = (e.given_version, e.version, e.kind, e.place, e.provided_by)
            rows.append((tenant, borrower_id, point_id, e.position, key_id, sealed, *rest))
    if rows:
        await connection.execute(SQL["save_addresses"], *map(list, zip(*rows, strict=True)))
    await connection.execute(
        SQL["save_books"],
        [tenant for tenant, _ in books],
        [borrower_id for _, borrower_id in books],
        [book.version for book in books.values()],
    )


async def _told(connection: Connection, books: dict[Owner, Book], now: datetime) -> list[Record]:
    changed = [
        (tenant, borrower_id, point_id, entry)
        for (tenant, borrower_id), book in books.items()
        for point_id, entry in book.entries.items()
        if entry.changed
    ]
    if not changed:
        return []
    keys = [c[0] for c in changed], [c[2] for c in changed]
    rows = await connection.fetch(SQL["points_of"], *keys)
    points = {(row["tenant"], row["contact_point_id"]): row for row in rows}
    return [
        contact_points.changed(
            tenant,
            borrower_id,
            point_id,
            version=entry.version,
            kind=entry.kind,
            country=points[tenant, point_id]["country"],
            zones=points[tenant, point_id]["zones"],
            usable=points[tenant, point_id]["usable"] and not entry.removed,
            place=entry.place,
            provided_by=entry.provided_by,
            now=now,
        )
        for tenant, borrower_id, point_id, entry in changed
    ]
