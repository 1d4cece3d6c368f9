"""`dunwell stops`: what forbids contact with a borrower, since when, and on whose word it ends."""

from datetime import UTC, datetime
from typing import Any, get_args
from uuid import UUID

import click
import msgspec

from services.events.stops import StopLifted
from services.policy import stops, words
from services.policy.cli_options import borrower_options, found_borrower
from services.policy.known import Row
from services.policy.stop_problems import problems
from services.policy.timeline import SQL
from services.runtime.cli_database import on_database
from services.runtime.clock import gate_now
from services.runtime.database import Connection
from services.runtime.settings import PREFIX
from services.runtime.web import Problem

_tenant = click.option(
    "--tenant", required=True, envvar=PREFIX + "TENANT", help=f"Whose; or set {PREFIX}TENANT."
)


@click.group("stops")
def stops_command() -> None:
    """Stops of a borrower: opt-outs, disputes, hardship, promises and the rest.

    Works on policy's own database: DUNWELL_DATABASE_URL (or a file named by
    DUNWELL_DATABASE_URL_FILE).  The running service notices at once.  A number or an address from
    which somebody answered STOP is blocked at the notifier too, until they say START or their
    message is settled by `dunwell reviews`.

    \b
    dunwell stops list --tenant acme --borrower-ref B-1001
    dunwell stops lift STOP --tenant acme --by ann --on-word-of officer --evidence "ticket 4711"
    """


@stops_command.command("list")
@_tenant
@borrower_options
@click.option("--json", "as_json", is_flag=True, help="One object a stop, one a line.")
def list_command(
    tenant: str, borrower_ref: str | None, borrower_id: UUID | None, as_json: bool
) -> None:
    """Every stop of a borrower, oldest first, those on their contact points too."""
    who = found_borrower(tenant, borrower_ref, borrower_id)

    async def run(connection: Connection) -> tuple[list[dict[str, Any]], datetime]:
        rows = await connection.fetch(SQL["stops_of_borrower"], tenant, who)
        # Else a mistyped reference, or another identity key, would read as: no stop.
        if not rows and not await connection.fetchval(SQL["borrower_known"], tenant, who):
            raise click.ClickException(f"policy knows no such borrower of {tenant}")
        return [dict(row) for row in rows], await gate_now(connection)

    rows, now = on_database("policy", run)
    for row in rows:
        if as_json:
            click.echo(msgspec.json.encode(row))
            continue
        state = _state(row, now)
        click.echo(f"{row['stop_id']}  {row['kind']:<12}  {state}")
        click.echo(f"    since {row['received_at']:%F %H:%MZ}, {_told(row)}")
        click.echo(f"    ends on the word of: {', '.join(row['may_lift'])}")
    if not rows and not as_json:
        click.echo("No stop is on record.")


@stops_command.command("lift")
@click.argument("stop", type=click.UUID)
@_tenant
@click.option("--by", required=True, metavar="NAME", help="Who does it.")
@click.option(
    "--on-word-of",
    required=True,
    type=click.Choice(get_args(words.Lifter)),
    help="The borrower's (or who speaks for them), an officer's, or the lender's system's.",
)
@click.option("--evidence", metavar="REF", help="Where that is on file; no name, none of its text.")
def lift_command(stop: UUID, tenant: str, by: str, on_word_of: str, evidence: str | None) -> None:
    """STOP has ended.  `list` says on whose word it may."""

    async def run(connection: Connection) -> Row | None:
        event = StopLifted(
            tenant=tenant,
            stop_id=stop,
            ended_at=await gate_now(connection),
            lifted_by=by,
            on_word_of=on_word_of,
            evidence=evidence,
        )
        if wrong := problems(event):
            raise Problem(422, "invalid", "it can't be lifted so", wrong)
        before = await connection.fetchrow(SQL["stop_ended"], tenant, stop)
        try:
            known = await stops.record(connection, _nobody, event)
        except stops.MayNotLift as refused:
            raise Problem(422, "may_not_lift", "it can't be lifted so", [refused.problem]) from None
        if not known:  # a door would keep it, a person has mistyped the id
            raise click.ClickException(f"{tenant} has no stop of that id.")
        return before

    if before := on_database("policy", run):
        by = f"by {before['lifted_by']} on the word of the {before['on_word_of']}"
        click.echo(f"It was lifted before, {by}, on {before['ended_at']:%F %H:%MZ}; that stands.")
        return
    click.echo("Lifted: this stop forbids nothing any more.  Others stay.")


def _state(row: dict[str, Any], now: datetime) -> str:
    if row["ended_at"] and row["ended_at"] <= now:
        by = f"by {row['lifted_by']} on the word of the {row['on_word_of']}"
        return f"ended {row['ended_at']:%F %H:%MZ} {by} ({row['evidence'] or 'no reference'})"
    today = now.astimezone(UTC).date()
    begins, ends = row["from_date"], row["until_date"]
    if ends and ends < today:
        return f"was until {ends}"
    since = f"from {begins} on" if begins and begins > today else "in force"
    return f"{since}, until {ends}" if ends else since


def _told(row: dict[str, Any]) -> str:
    parts = [f"told by {row['source']}"]
    parts += [f"evidence {row['evidence_of_stop']}"] if row["evidence_of_stop"] else []
    for name in ("channels", "loan_ids", "purposes", "contact_point_ids"):
        parts += [f"only {', '.join(row[name])}"] if row[name] else []
    return "; ".join(parts)


def _nobody(tenant: str, reference: str) -> UUID:
    raise AssertionError("a lift names its stop, nobody's reference")
