"""Which packs decide for a tenant: a row that says which text, since when, asked by whom, approved
by whom else."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from uuid import UUID, uuid4

import msgspec

from services.events.base import Instant, Text
from services.policy import activation_refused as refused
from services.policy import draft_check, drafts, ending
from services.policy.activation_refused import unless_past, unless_two_people
from services.policy.drafts import Draft
from services.policy.ending import CalledOff, Ending
from services.policy.pack import Pack, PackError, hash_of, load_shipped, load_text, shipped
from services.policy.rulesets import Active, RuleSets
from services.runtime import queries
from services.runtime.clock import gate_now
from services.runtime.database import Connection
from services.runtime.web import Problem, invalid

SQL = queries.load(Path(__file__).with_name("queries_activation.sql"))
LOG_SQL = queries.load(Path(__file__).with_name("queries_log.sql"))

ActiveByTenant = Mapping[str, Active]

# Packs are asked by place: what one leaves to another is not there where the other isn't asked.
MEND = "mend it first, a calendar by defining it in the pack that names it; nothing has changed"


class Activation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks that a pack decides for a tenant from an instant on (now, if none is named)."""

    pack: Text  # a shipped one, or a draft of the tenant's own that was approved; or PACK@HASH
    by: Text
    approved_by: Text  # somebody else
    active_from: Instant | None = msgspec.field(default=None, name="from")
    accept_draft: bool = False  # "I know that no counsel has reviewed it"


class Deactivation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks that a pack no longer decides for a tenant, from an instant on (now, if none)."""

    pack: Text
    by: Text
    approved_by: Text
    at: Instant | None = None
    reason: Text | None = None  # kept beside it


class Activated(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and under which hash the pack's text is kept."""

    activation_id: UUID
    pack: str
    version: str
    status: str
    active_from: datetime
    called_off: tuple[CalledOff, ...] = ()  # what was scheduled, and is not any more
    rolled_back_at: datetime | None = None  # this version was in force before, and was taken back


async def active(
    connection: Connection, rule_sets: RuleSets, tenants: Iterable[str], now: datetime
) -> ActiveByTenant:
    """What each tenant has active at `now`; the texts are handed to `rule_sets` once."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in await connection.fetch(SQL["active"], sorted(tenants), now):
        version = (row["pack"], row["version"])
        if rule_sets.lacks(version):
            text = await connection.fetchval(SQL["pack_text"], row["tenant"], *version)
            if text is not None:
                rule_sets.give(version, text)
        found.setdefault(row["tenant"], []).append(version)
    return found


async def activate(
    connection: Connection, rule_sets: RuleSets, tenant: str, asked: Activation, *, sandbox: bool
) -> Activated:
    """Put a pack in force for a tenant.  Raises Problem, and then nothing has changed."""
    unless_two_people(asked.by, asked.approved_by)
    await one_change_at_a_time(connection, tenant)
    now = await change_now(connection)
    begins = (asked.active_from or now).replace(microsecond=0)
    unless_past("from", begins, now)
    pack_id, at, prefix = asked.pack.partition("@")
    if at and len(prefix) < drafts.SHORTEST_HASH:
        raise invalid("pack", f"{asked.pack} is not clear", "write more of its hash, or none of it")
    draft = None
    if pack_id not in shipped():
        draft = await drafts.approved(connection, tenant, pack_id, prefix)
    text = draft.text if draft else await _shipped_text(connection, tenant, pack_id, prefix)
    pack = _readable(pack_id, text)
    if draft is None and pack.status == "draft" and not (sandbox or asked.accept_draft):
        raise invalid(
            "accept_draft",
            f"{pack_id} is a draft that no counsel has reviewed",
            "have it reviewed, or say accept_draft: true (--accept-draft) knowing that; beside "
            "the sandbox (DUNWELL_SANDBOX=true) drafts need no such word",
        )
    if draft is not None:
        before = dict((await active(connection, rule_sets, [tenant], begins)).get(tenant, ()))
        if pack_id in before:
            await _unless_looser(connection, tenant, draft, pack, before[pack_id])
    done = await put_in_force(
        connection, rule_sets, tenant, pack, text, begins, (asked.by, asked.approved_by)
    )
    back = await connection.fetchval(SQL["rolled_back_at"], tenant, pack_id, done.version)
    return msgspec.structs.replace(done, rolled_back_at=back)


async def put_in_force(
    connection: Connection,
    rule_sets: RuleSets,
    tenant: str,
    pack: Pack,
    text: str,
    begins: datetime,
    people: tuple[str, str],
    restores: UUID | None = None,
) -> Activated:
    """Keep the text, end the version before, begin.  Raises Problem if the pack does not go with
    the others that will then be active, or later.  The caller has `one_change_at_a_time`."""
    version = hash_of(text)
    await connection.execute(SQL["keep_pack_text"], tenant, pack.id, version, text)
    before = await ending.end(connection, tenant, pack.id, begins, people)
    activation_id = uuid4()
    await connection.execute(
        SQL["activate"], tenant, activation_id, pack.id, version, begins, *people, restores
    )
    for (at, _), why in (await _unreadable(connection, rule_sets, tenant, begins)).items():
        said = f"does not go with the packs active from {at:%FT%TZ} on: {why}"
        raise invalid("pack", said, MEND)
    await connection.execute(LOG_SQL["hasten"], tenant)
    return Activated(
        activation_id=activation_id,
        pack=pack.id,
        version=version,
        status=pack.status,
        active_from=begins,
        called_off=before.called_off if before else (),
    )


async def deactivate(
    connection: Connection, rule_sets: RuleSets, tenant: str, asked: Deactivation
) -> Ending:
    """End a pack for a tenant: borrowers whose place has no other are held.  Raises Problem, and
    then nothing has changed."""
    unless_two_people(asked.by, asked.approved_by)
    await one_change_at_a_time(connection, tenant)
    now = await change_now(connection)
    at = (asked.at or now).replace(microsecond=0)
    unless_past("at", at, now)
    before = await _unreadable(connection, rule_sets, tenant, at)
    people = (asked.by, asked.approved_by)
    ended = await ending.end(connection, tenant, asked.pack, at, people, asked.reason)
    if ended is None:
        raise Problem(404, "not_active", f"{asked.pack} is not active; see GET /v1/activations")
    # Where the packs could not be read before, ending one may be the way to mend it.
    for there, why in (await _unreadable(connection, rule_sets, tenant, at)).items():
        if there not in before:
            said = f"is needed by the packs active from {there[0]:%FT%TZ} on: {why}"
            raise invalid("pack", said, "end what needs it first; nothing has changed")
    return ended


async def one_change_at_a_time(connection: Connection, tenant: str) -> None:
    """Held until the transaction ends.  What is in force is read after this, not before."""
    await connection.execute(SQL["one_change_at_a_time"], f"activations of {tenant}")


async def change_now(connection: Connection) -> datetime:
    """When a change that is made now takes effect: decisions are made by the whole second, so what
    is answered holds for the next of them.
    """
    return (await gate_now(connection)).replace(microsecond=0)


async def _unreadable(
    connection: Connection, rule_sets: RuleSets, tenant: str, since: datetime
) -> dict[tuple[datetime, str], str]:
    """When from `since` on, where and why the packs active can't be asked together: borrowers there
    would be held.  Where is "" if they can't be read as one.

    They change only when one begins or ends.
    """
    found: dict[tuple[datetime, str], str] = {}
    for row in await connection.fetch(SQL["changes"], tenant, since):
        packs = (await active(connection, rule_sets, [tenant], row["at"])).get(tenant, ())
        for place, why in rule_sets.unreadable(packs).items():
            found[row["at"], place] = f"for a borrower in {place}: {why}" if place else why
    return found


async def listed(connection: Connection, tenant: str) -> list[dict[str, object]]:
    """Every activation a tenant ever had, by pack."""
    return [dict(row) for row in await connection.fetch(SQL["activations"], tenant)]


async def text_in_force_once(
    connection: Connection, tenant: str, pack_id: str, prefix: str
) -> str | None:
    """The text of the version with a hash that begins so, if decisions were made under just one."""
    kept = await connection.fetch(SQL["kept_texts"], tenant, pack_id)
    fitting = [str(row["text"]) for row in kept if row["version"].startswith(prefix)]
    return fitting[0] if len(fitting) == 1 else None


async def _shipped_text(connection: Connection, tenant: str, pack_id: str, prefix: str) -> str:
    """The file of today; with the hash of a version that was in force before, that one's text."""
    try:
        load_shipped(pack_id)
    except PackError as error:
        said = "; ".join(problem.text for problem in error.problems)
        fix = "name a shipped pack (`dunwell packs list`), or an approved draft of yours"
        raise invalid("pack", said, fix) from None
    path = files("services.policy") / "packs" / f"{pack_id}.yaml"
    text = path.read_text(encoding="utf-8")
    if hash_of(text).startswith(prefix):
        return text
    before = await text_in_force_once(connection, tenant, pack_id, prefix)
    if before is None:
        kept = await connection.fetch(SQL["kept_texts"], tenant, pack_id)
        names = ", ".join(sorted({hash_of(text)[:12], *(row["version"][:12] for row in kept)}))
        said = f"{pack_id}@{prefix} is not one version"
        raise invalid("pack", said, f"name the file of today or one in force before: {names}")
    return before


def _readable(pack_id: str, text: str) -> Pack:
    try:
        return load_text(text, f"{pack_id}.yaml")
    except PackError as error:
        said = [str(problem) for problem in error.problems]
        raise refused.because("pack", said, "mend it in a new draft; nothing has changed") from None


async def _unless_looser(
    connection: Connection, tenant: str, draft: Draft, pack: Pack, version: str
) -> None:
    """A tenant's own pack may ask less than its version before only as that was approved."""
    text = await connection.fetchval(SQL["pack_text"], tenant, pack.id, version)
    looser = draft_check.loosens(_readable(pack.id, text), pack)
    unsaid = [each for each in looser if each.rule not in draft.loosens]
    if unsaid:
        raise refused.because("pack", map(drafts.said_of, unsaid), drafts.LOOSENS)
