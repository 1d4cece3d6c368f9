"""`dunwell policy status`: which versions are in force, scheduled, superseded, drafted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click
import msgspec

from services.policy import activation, drafts
from services.policy.cli_options import TENANT
from services.policy.drafts import Draft
from services.policy.pack import PackError, load_text, shipped
from services.runtime.cli_database import on_database
from services.runtime.clock import gate_now
from services.runtime.database import Connection


@click.command("status")
@TENANT
@click.option("--all", "every", is_flag=True, help="Superseded versions and old drafts, too.")
@click.option("--json", "as_json", is_flag=True, help="One object a version, one a line.")
def status_command(tenant: str, every: bool, as_json: bool) -> None:
    """Show what is in force for a tenant, what is scheduled, and which drafts wait.

    `counsel` says whether counsel has reviewed the text: `draft` is not yet; of a pack of your own
    that says `in_force` we know only that its author says so.  Times are UTC.

    With --all, and in --json as `text`, who drafted and approved a text of your own, and on whose
    word it loosens the one before.

    \b
    dunwell policy status --tenant acme
    dunwell policy status --tenant acme --all
    """

    async def run(connection: Connection) -> list[dict[str, Any]]:
        return await status(connection, tenant)

    found = on_database("policy", run)
    rows = [row for row in found if every or row["state"] not in PAST]
    if as_json:
        for row in rows:
            click.echo(msgspec.json.encode(row))
        return
    for row in rows:
        since, until = _day(row["from"]), _day(row["to"])
        click.echo(
            f"{row['state']:<10}  {row['pack']}@{row['version'][:12]}  counsel: {row['status']}"
            + f"  {since} to {until or 'further notice'}" * bool(since)
        )
        click.echo(f"            {row['who']}")
        if every and row["text"]:
            click.echo(f"            its text: {row['text']}")
    if not any(row["state"] == "in force" for row in rows):
        click.echo(f"Nothing is in force for {tenant}: every borrower is held.")
    if not found:
        click.echo(f"{tenant} never had a pack or a draft: is it the tenant's name?")


PAST = ("superseded", "ended", "called off")


async def status(connection: Connection, tenant: str) -> list[dict[str, Any]]:
    """Every version, by pack: those that decide or did, then drafts that never have."""
    now = await gate_now(connection)
    terms = await activation.listed(connection, tenant)
    counsel = await _reviewed(connection, tenant)
    mine = await drafts.every(connection, tenant)
    texts = {(each.pack, each.version): _said_of(each) for each in mine}
    rows: list[dict[str, Any]] = [
        {
            "pack": term["pack"],
            "version": term["version"],
            "state": _state(term, now, terms),
            "status": counsel.get((str(term["pack"]), str(term["version"])), "unreadable"),
            "from": term["active_from"],
            "to": term["ended_at"],
            "who": _who(term),
            "text": texts.get((str(term["pack"]), str(term["version"]))),
        }
        for term in terms
    ]
    used = {(term["pack"], term["version"]) for term in terms}
    rows += [_waiting(each) for each in mine if (each.pack, each.version) not in used]
    return sorted(rows, key=lambda row: str(row["pack"]))


def _state(term: dict[str, Any], now: datetime, terms: Sequence[dict[str, Any]]) -> str:
    begins, ends = term["active_from"], term["ended_at"]
    if ends is not None and ends <= begins:
        return "called off"
    if begins > now:
        return "scheduled"
    if ends is None or ends > now:
        return "in force"
    followed = any(each["pack"] == term["pack"] and each["active_from"] == ends for each in terms)
    return "superseded" if followed else "ended"


def _who(term: dict[str, Any]) -> str:
    said = f"activated by {term['requested_by']}, approved by {term['approved_by']}"
    if term["restores"] is not None:
        said = f"rolled back to by {term['requested_by']}, approved by {term['approved_by']}"
    if term["ended_by"] is not None:
        said += f"; ended by {term['ended_by']}, approved by {term['end_approved_by']}"
        said += f": {term['end_reason']}" if term["end_reason"] else ""
    for off in term["ends_called_off"]:
        said += f"; its end on {_day(datetime.fromisoformat(off['ended_at']))} by {off['ended_by']}"
        said += f", approved by {off['end_approved_by']}"
        said += f": {off['end_reason']}," * bool(off["end_reason"]) + " was called off"
    return said


def _said_of(each: Draft) -> str:
    who = f"drafted by {each.drafted_by} {_day(each.drafted_at)}"
    if each.checked_at is not None:
        who += f"; checked with {each.cases_right} case(s)"
    if each.approved_at is not None:
        who += f"; approved by {each.approved_by} {_day(each.approved_at)}"
    for word in each.loosenings:
        who += f"; that it loosens {word.rule} accepted by {word.by} {_day(word.at)}"
    return who


def _waiting(each: Draft) -> dict[str, Any]:
    return {
        "pack": each.pack,
        "version": each.version,
        "state": each.state,
        "status": _counsel(each.text, each.pack),
        "from": None,
        "to": None,
        "who": _said_of(each),
        "text": None,
    }


async def _reviewed(connection: Connection, tenant: str) -> dict[tuple[str, str], str]:
    rows = await connection.fetch(activation.SQL["kept_statuses"], tenant)
    return {(row["pack"], row["version"]): _counsel(row["text"], row["pack"]) for row in rows}


def _counsel(text: str, pack: str) -> str:
    try:
        status = load_text(text, f"{pack}.yaml").status
    except PackError:
        return "unreadable"
    if status == "draft":
        return "draft"
    return "reviewed" if pack in shipped() else "reviewed, says its author"


def _day(instant: datetime | None) -> str:
    return f"{instant:%F %H:%MZ}" if instant else ""
