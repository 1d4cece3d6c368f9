"""`dunwell policy`: a rule set's life, from a draft to what is in force, and back."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import click

from services.policy import activation, explain, jurisdictions, rollback
from services.policy.activation import Activation, Deactivation
from services.policy.cli_backtest import backtest_command
from services.policy.cli_drafts import approve_command, check_command, draft_command
from services.policy.cli_options import APPROVED_BY, BY, TENANT, beside_the_sandbox
from services.policy.cli_reading import Instant
from services.policy.cli_status import status_command
from services.policy.cli_whatif import whatif_command
from services.policy.ending import CalledOff, Ending
from services.policy.rollback import Rollback, RolledBack
from services.policy.rulesets import RuleSets
from services.runtime.cli_database import on_database
from services.runtime.database import Connection
from services.runtime.web import Problem


@click.group()
def policy() -> None:
    """Draft, check, approve and activate rules; try them, and roll back.

    Works on policy's own database: DUNWELL_DATABASE_URL (or a file named by
    DUNWELL_DATABASE_URL_FILE).  The running service notices at once.

    \b
    draft FILE         keep a pack of your own; nothing is in force by that
    check DRAFT        lint it and ask its cases
    whatif, backtest   see what it would change
    approve DRAFT      a second person's yes
    activate PACK      in force from an instant on
    status             what is in force, scheduled, superseded
    rollback PACK      the version before is in force again, now

    Why a decision was as it was: dunwell explain.
    """


@policy.command()
@click.argument("pack")
@TENANT
@BY
@APPROVED_BY
@click.option("--from", "active_from", type=Instant(), help="From when on; default: now.")
@click.option(
    "--accept-draft", is_flag=True, help="I know that no counsel has reviewed this shipped pack."
)
def activate(
    pack: str,
    tenant: str,
    by: str,
    approved_by: str,
    active_from: datetime | None,
    accept_draft: bool,
) -> None:
    """Put PACK in force for a tenant: a shipped one, or a draft of its own that was approved.

    PACK@HASH names one version; without a hash it is the shipped text of today, or the newest
    approved draft.  What is bound is that text: an upgrade that brings a new one changes nothing
    until it is activated too.  The version before decides until --from.  A version or an end that
    was scheduled for later is called off, and told: to do only that, activate what is in force
    once more, by its hash.

    \b
    dunwell policy activate us-fed --tenant acme --by ann --approved-by bob
    dunwell policy activate acme-hours --from 2026-06-04T00:00:00-04:00 --by ann --approved-by bob
    """
    asked = Activation(
        pack=pack,
        by=by,
        approved_by=approved_by,
        active_from=active_from,
        accept_draft=accept_draft,
    )

    async def run(connection: Connection) -> activation.Activated:
        rule_sets = RuleSets(jurisdictions.load())
        return await activation.activate(
            connection, rule_sets, tenant, asked, sandbox=beside_the_sandbox()
        )

    done = on_database("policy", run)
    click.echo(f"{done.pack} ({done.status}) decides for {tenant} from {done.active_from:%FT%TZ}.")
    click.echo(f"Its text is kept as {done.version[:12]}.")
    if done.rolled_back_at is not None:
        click.echo(f"This version was rolled back on {done.rolled_back_at:%FT%TZ}; is it meant?")
        click.echo("Another is named by its hash: dunwell policy status --all shows them.")
    _say_called_off(pack.partition("@")[0], done.called_off)


@policy.command("rollback")
@click.argument("pack")
@TENANT
@BY
@APPROVED_BY
def rollback_command(pack: str, tenant: str, by: str, approved_by: str) -> None:
    """Put the version of PACK before in force again, now.

    Repeated, it goes one version further back.  What was scheduled for later is called off.

    \b
    dunwell policy rollback acme-hours --tenant acme --by ann --approved-by bob
    """
    asked = Rollback(pack=pack, by=by, approved_by=approved_by)

    async def run(connection: Connection) -> RolledBack:
        return await rollback.roll_back(connection, RuleSets(jurisdictions.load()), tenant, asked)

    done = on_database("policy", run)
    click.echo(
        f"{pack}@{done.now.version[:12]} decides for {tenant} again from"
        f" {done.now.active_from:%FT%TZ}, instead of {done.instead_of[:12]}."
    )
    _say_called_off(pack, done.now.called_off)


@policy.command()
@click.argument("pack")
@TENANT
@BY
@APPROVED_BY
@click.option("--reason", required=True, help="Why; it is kept with both names.")
@click.option("--at", type=Instant(), help="From when on; default: now.")
def deactivate(
    pack: str, tenant: str, by: str, approved_by: str, reason: str, at: datetime | None
) -> None:
    """Take PACK out of force.  Borrowers whose place has no other active pack are held.

    A version that was scheduled for later is called off, and told.

    \b
    dunwell policy deactivate acme-hours --tenant acme --by ann --approved-by bob \\
        --reason "the law has the same hours now"
    """
    asked = Deactivation(pack=pack, by=by, approved_by=approved_by, at=at, reason=reason)

    async def run(connection: Connection) -> Ending:
        rule_sets = RuleSets(jurisdictions.load())
        try:
            return await activation.deactivate(connection, rule_sets, tenant, asked)
        except Problem as problem:
            if problem.code != "not_active":
                raise
            said = f"{pack} is not active for {tenant}; see `dunwell policy status`"
            raise click.ClickException(said) from None

    ending = on_database("policy", run)
    if ending.decides and at is not None:
        click.echo(f"{pack} decides for {tenant} until {ending.at:%FT%TZ}, then no longer.")
    elif ending.decides:
        click.echo(f"{pack} no longer decides for {tenant}.")
    _say_called_off(pack, ending.called_off)


@policy.command()
@TENANT
def active(tenant: str) -> None:
    """List every activation a tenant ever had: pack, text, from, to, by whom."""

    async def run(connection: Connection) -> list[dict[str, Any]]:
        return await activation.listed(connection, tenant)

    rows = on_database("policy", run)
    for row in rows:
        until = f"{row['ended_at']:%F %H:%M}" if row["ended_at"] else "further notice"
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

    rows = on_database("policy", run)
    for row in rows:
        click.echo(f"{row['reminder_id']}  {row['code']:<12}  since {row['held_since']:%F %H:%MZ}")
    click.echo(f"{len(rows)} held.")


def _say_called_off(pack: str, called_off: Iterable[CalledOff]) -> None:
    for off in called_off:
        what = (
            f"{pack}@{off.version[:12]} was to begin"
            if off.what == "begin"
            else f"{pack} was to end"
        )
        why = f": {off.reason}" if off.reason else ""
        people = f"by {off.by}, approved by {off.approved_by}{why}"
        click.echo(f"Called off: {what} {off.at:%FT%TZ} ({people}).")


for command in (
    draft_command,
    check_command,
    approve_command,
    status_command,
    whatif_command,
    backtest_command,
):
    policy.add_command(command)
