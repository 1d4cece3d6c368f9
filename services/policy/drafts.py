"""A tenant's own packs before they are in force: drafted, checked, approved by a second person.

A text is named by its hash and never changes; what is done to it is recorded beside it, once.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from services.policy import activation_refused as refused
from services.policy import draft_check
from services.policy.draft_check import Checked
from services.policy.loosening import Loosening
from services.policy.pack import Pack, PackError, hash_of, load_text
from services.runtime import queries
from services.runtime.clock import gate_now
from services.runtime.database import Connection
from services.runtime.web import invalid

SQL = queries.load(Path(__file__).with_name("queries_drafts.sql"))
ACTIVATION_SQL = queries.load(Path(__file__).with_name("queries_activation.sql"))

SHORTEST_HASH = 6


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """On whose word a version may ask less than the one before, in one rule."""

    rule: str
    by: str
    at: datetime


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A pack of a tenant's own, and what has been done to it."""

    pack: str
    version: str
    text: str
    drafted_by: str
    drafted_at: datetime
    cases_right: int | None
    checked_at: datetime | None
    approved_by: str | None
    approved_at: datetime | None
    loosenings: tuple[Accepted, ...]  # of its version before, with a second person's word

    @property
    def loosens(self) -> tuple[str, ...]:
        """The rules that it may loosen."""
        return tuple(each.rule for each in self.loosenings)

    @property
    def state(self) -> str:
        """How far it has come: drafted, checked, approved."""
        if self.approved_at is not None:
            return "approved"
        return "drafted" if self.checked_at is None else "checked"

    @property
    def name(self) -> str:
        """`acme-hours@3f9c0a1b2c3d`, as people write it."""
        return f"{self.pack}@{self.version[:12]}"


async def draft(connection: Connection, tenant: str, text: str, file: str, by: str) -> Draft:
    """Keep a pack's text.  It can be read and redefines nothing shipped; else Problem, and nothing
    is kept.  The same text twice is one draft."""
    if not by.strip():
        raise invalid("by", "is empty", "name who drafts it")
    pack = _read(text, file)
    if problems := draft_check.redefined(pack):
        raise refused.because("draft", problems, "add rules of your own beside it, and tighten")
    version = hash_of(text)
    await connection.execute(SQL["draft"], tenant, pack.id, version, text, by.strip())
    return await find(connection, tenant, f"{pack.id}@{version}")


async def check(
    connection: Connection, tenant: str, named: str, cases: str, cases_file: str
) -> Checked:
    """Lint a draft beside the packs it would decide with, and ask its cases; record that it passed.

    Raises Problem with everything that is wrong, and then nothing is recorded.
    """
    found = await find(connection, tenant, named)
    pack = _read(found.text, f"{found.pack}.yaml")
    others = await _beside(connection, tenant, found.pack)
    checked = draft_check.check(pack, others, cases, cases_file)
    if checked.problems:
        raise refused.because("draft", checked.problems, "mend it, draft it again, and check again")
    if found.approved_at is None:
        await connection.execute(
            SQL["checked"], tenant, found.pack, found.version, cases, checked.cases_right
        )
    return msgspec.structs.replace(
        checked, loosens=tuple(await _loosens(connection, tenant, found, pack))
    )


async def approve(
    connection: Connection, tenant: str, named: str, by: str, *, loosens_own: bool
) -> Draft:
    """A second person's word for a draft that was checked; for one that was approved, that it may
    loosen what has come into force since.  Raises Problem."""
    found = await find(connection, tenant, named, only_one_waiting=True)
    pack = _read(found.text, f"{found.pack}.yaml")
    looser = await _loosens(connection, tenant, found, pack)
    unsaid = [each for each in looser if each.rule not in found.loosens]
    if found.approved_at is not None and not unsaid:
        said = f"was approved by {found.approved_by} at {found.approved_at:%FT%TZ}"
        raise invalid("draft", said, f"put it in force: dunwell policy activate {found.name}")
    if found.checked_at is None:
        fix = f"dunwell policy check {found.name} --cases FILE"
        raise invalid("draft", f"{found.name} has not been checked", fix)
    refused.unless_two_people(found.drafted_by, by)
    if unsaid and not loosens_own:
        raise refused.because("draft", map(said_of, unsaid), LOOSENS)
    rules = sorted({each.rule for each in unsaid})
    approval = (tenant, found.pack, found.version, by.strip())
    if found.approved_at is None:
        await connection.execute(SQL["approve"], *approval)
    await connection.execute(SQL["accept_loosening"], *approval, rules)
    return await find(connection, tenant, f"{found.pack}@{found.version}")


LOOSENS = "leave the rule as it was, or approve with --loosens-own: that you know it is recorded"


def said_of(each: Loosening) -> str:
    """A loosening in a line."""
    return f"loosens {each.rule}, {each.field or 'the rule'}: {each.why}"


async def find(
    connection: Connection, tenant: str, named: str, *, only_one_waiting: bool = False
) -> Draft:
    """A draft by `PACK` (the newest) or `PACK@HASH`, the hash as short as is clear.

    With `only_one_waiting` PACK alone is refused where several wait for approval, or none of
    several: what a person read must be what they approve.  Raises Problem.
    """
    pack, _, prefix = named.partition("@")
    every = await drafts_of(connection, tenant, pack)
    fitting = [each for each in every if each.version.startswith(prefix)]
    if not fitting:
        said = f"{named} is no draft of {tenant}"
        raise invalid("draft", said, f"write it: dunwell policy draft {pack}.yaml --by YOU")
    if prefix and (len(prefix) < SHORTEST_HASH or len(fitting) > 1):
        raise invalid("draft", f"{named} is not clear", "write more of its hash")
    waiting = [each for each in fitting if each.approved_at is None]
    if only_one_waiting and len(waiting or fitting) > 1:
        names = ", ".join(each.name for each in waiting or fitting)
        said = "several that wait" if waiting else "several, and none waits"
        raise invalid("draft", f"{pack} has {said}", f"name one: {names}")
    return waiting[0] if only_one_waiting and waiting else fitting[0]


async def approved(connection: Connection, tenant: str, pack: str, prefix: str) -> Draft | None:
    """The newest approved draft of a pack with a hash that begins so; None if `tenant` never
    drafted such a pack.  Raises Problem if none is approved."""
    every = await drafts_of(connection, tenant, pack)
    if not every:
        return None
    fitting = [each for each in every if each.version.startswith(prefix)]
    for each in fitting:
        if each.approved_at is not None:
            return each
    names = ", ".join(f"{each.name} ({each.state})" for each in fitting or every)
    fix = "have somebody else approve it: dunwell policy approve DRAFT --by THEM"
    raise invalid("pack", f"{pack} has no such approved version; there are: {names}", fix)


async def drafts_of(connection: Connection, tenant: str, pack: str) -> list[Draft]:
    """Newest first."""
    return [_draft(row) for row in await connection.fetch(SQL["drafts_of"], tenant, pack)]


async def every(connection: Connection, tenant: str) -> list[Draft]:
    """All of a tenant's, by pack, oldest first."""
    return [_draft(row) for row in await connection.fetch(SQL["drafts"], tenant)]


def _draft(row: object) -> Draft:
    return msgspec.convert(dict(row), Draft)  # type: ignore[call-overload]


def _read(text: str, file: str) -> Pack:
    try:
        return load_text(text, file)
    except PackError as error:
        raise refused.because("draft", [str(p) for p in error.problems], "mend the file") from None


async def _beside(connection: Connection, tenant: str, pack: str) -> list[Pack]:
    """The tenant's other packs that are in force now, shipped ones too."""
    now = await gate_now(connection)
    found: list[Pack] = []
    for row in await connection.fetch(ACTIVATION_SQL["active"], [tenant], now):
        if row["pack"] == pack:
            continue
        text = await connection.fetchval(
            ACTIVATION_SQL["pack_text"], tenant, row["pack"], row["version"]
        )
        found += _readable(text, row["pack"])
    return found


async def _loosens(
    connection: Connection, tenant: str, found: Draft, pack: Pack
) -> list[Loosening]:
    """In what it asks less than any version whose place it may take."""
    every = [
        each
        for before in await _before(connection, tenant, found)
        for each in draft_check.loosens(before, pack)
    ]
    return list(dict.fromkeys(every))


async def _before(connection: Connection, tenant: str, found: Draft) -> Sequence[Pack]:
    """What the draft may take the place of: the versions in force or scheduled; without one, for
    a draft that waits for approval, the last approved."""
    now = await gate_now(connection)
    deciding = await connection.fetch(SQL["deciding"], tenant, found.pack, now)
    texts = [row["text"] for row in deciding]
    if not texts and found.approved_at is None:
        drafted = await drafts_of(connection, tenant, found.pack)
        texts = [each.text for each in drafted if each.approved_at is not None][:1]
    return [pack for text in texts for pack in _readable(text, found.pack)]


def _readable(text: str, pack: str) -> Sequence[Pack]:
    """A version that can't be read any more forbids nothing: it is held, not asked."""
    try:
        return [load_text(text, f"{pack}.yaml")]
    except PackError:
        return []
