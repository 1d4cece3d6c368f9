"""`dunwell policy`: put packs in force for a tenant, take them out, and see what is active."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import click

from services.policy import activation, explain, jurisdictions
from services.policy.activation import Activation, Deactivation
from services.policy.cli_backtest import backtest_command
from services.policy.cli_whatif import whatif_command
from services.policy.rulesets import RuleSets
from services.runtime import database
from services.runtime.database import Connection
from services.runtime.settings import PREFIX
from services.runtime.web import Problem

T = TypeVar("T")

BY = click.option("--by", required=True, help="Who asks for it.")
APPROVED_BY = click.option("--approved-by", required=True, help="Who approved it: somebody else.")
TENANT = click.option("--tenant", required=True, help="Whose rules.")


class Instant(click.ParamType[datetime]):
    """An instant in UTC, as people and machines write it."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Aware, or a usage error that shows how."""
        try:
            instant = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not an instant; write 2026-06-01T00:00:00Z", param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value!r} has no time zone; write {value}Z for UTC", param, ctx)
        return instant


@click.group()
def policy() -> None:
    """Put packs in force, take them out, and see what is active and what is held.

    Works on policy's own database: DUNWELL_DATABASE_URL (or a file named by
    DUNWELL_DATABASE_URL_FILE).  The running service notices at once.
    """


@policy.command()
@TENANT
@click.option("--pack", required=True, help="A shipped pack: us-fed, cn, house …")
@BY
@APPROVED_BY
@click.option("--from", "active_from", type=Instant(), help="From when on; default: now.")
@click.option(
    "--accept-draft", is_flag=True, help="I know that no counsel has reviewed this pack yet."
)
def activate(
    tenant: str,
    pack: str,
    by: str,
    approved_by: str,
    active_from: datetime | None,
    accept_draft: bool,
) -> None:
    """Put a pack in force for a tenant.

    What is bound is the text of today: an upgrade that brings a new text changes nothing until it
    is activated too.  Example:

        dunwell policy activate --tenant acme --pack us-fed --by ann --approved-by bob
    """
    asked = Activation(
        pack=pack,
        by=by,
        approved_by=approved_by,
        active_from=active_from,
        accept_draft=accept_draft,
    )
    sandbox = os.environ.get(PREFIX + "SANDBOX", "").lower() in ("1", "true", "yes", "on")

    async def run(connection: Connection) -> activation.Activated:
        rule_sets = RuleSets(jurisdictions.load())
        return await activation.activate(connection, rule_sets, tenant, asked, sandbox=sandbox)

    done = _on_database(run)
    click.echo(f"{done.pack} ({done.status}) decides for {tenant} from {done.active_from:%FT%TZ}.")
    click.echo(f"Its text is kept as {done.version[:16]}.")


@policy.command()
@TENANT
@click.option("--pack", required=True, help="A pack that is active.")
@BY
@APPROVED_BY
@click.option("--at", type=Instant(), help="From when on; default: now.")
def deactivate(tenant: str, pack: str, by: str, approved_by: str, at: datetime | None) -> None:
    """Take a pack out of force.  Borrowers whose place has no other active pack are held."""
    asked = Deactivation(pack=pack, by=by, approved_by=approved_by, at=at)

    async def run(connection: Connection) -> None:
        await activation.deactivate(connection, tenant, asked)

    _on_database(run)
    click.echo(f"{pack} no longer decides for {tenant}.")


@policy.command()
@TENANT
def active(tenant: str) -> None:
    """List every activation a tenant ever had: pack, text, from, to, by whom."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        return await activation.listed(connection, tenant)

    rows = _on_database(run)
    for row in rows:
        until = f"{row['ended_at']:%F %H:%M}" if row["ended_at"] else "now on"
        people = f"{row['requested_by']}, approved by {row['approved_by']}"
        since = f"{row['active_from']:%F %H:%M}"
        click.echo(f"{row['pack']:<10} {row['version'][:12]}  {since} to {until:<16}  {people}")
    if not rows:
        click.echo(f"Nothing was ever active for {tenant}: every borrower is held.")


@policy.command()
@TENANT
def held(tenant: str) -> None:
    """List reminders that wait for a person, longest first, with what is to be mended."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        return await explain.held(connection, tenant)

    rows = _on_database(run)
    for row in rows:
        click.echo(f"{row['reminder_id']}  {row['code']:<12}  since {row['held_since']:%F %H:%MZ}")
    click.echo(f"{len(rows)} held.")


def _on_database(run: Callable[[Connection], Awaitable[T]]) -> T:
    """Run in one transaction on policy's database; what is wrong is said, not traced."""
    url = os.environ.get(PREFIX + "DATABASE_URL")
    if url is None and (path := os.environ.get(PREFIX + "DATABASE_URL_FILE")):
        url = Path(path).read_text().strip()
    if not url:
        raise click.UsageError(
            f"{PREFIX}DATABASE_URL (or {PREFIX}DATABASE_URL_FILE) is required: policy's database."
        )

    async def go() -> T:
        async with (
            database.pool(url, schema="policy", max_size=1) as db,
            database.transaction(db) as connection,
        ):
            return await run(connection)

    try:
        return asyncio.run(go())
    except Problem as problem:
        click.echo(f"Refused: {problem.detail}.", err=True)
        for error in problem.errors:
            click.echo(f"  {error.field} {error.problem}\n    → {error.fix}", err=True)
        sys.exit(1)
    except (OSError, asyncpg.PostgresError) as error:
        raise click.ClickException(f"the database said no: {error}") from None


policy.add_command(whatif_command)
policy.add_command(backtest_command)
