"""`dunwell policy draft|check|approve`: a tenant's own pack, from a file to a second yes."""

from pathlib import Path

import click

from services.policy import drafts
from services.policy.cli_options import BY, TENANT
from services.policy.draft_check import Checked
from services.policy.drafts import Draft
from services.runtime.cli_database import on_database
from services.runtime.database import Connection

READABLE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("draft")
@click.argument("file", type=READABLE)
@TENANT
@BY
def draft_command(file: Path, tenant: str, by: str) -> None:
    """Keep the pack in FILE as a draft of a tenant's own.  Nothing is in force by that.

    A tenant's pack adds rules, asked of everybody beside the packs of their place; it can take
    none away, so it may use no id of a shipped pack or rule.  The text is kept as it is, under its
    hash: to change it, draft the changed file.

    \b
    dunwell policy draft acme-hours.yaml --tenant acme --by ann
    """
    text = _text(file)

    async def run(connection: Connection) -> Draft:
        return await drafts.draft(connection, tenant, text, str(file), by)

    kept = on_database("policy", run)
    click.echo(f"Kept as {kept.name}, drafted by {kept.drafted_by}: {kept.state}.")
    if kept.checked_at is None:
        click.echo(f"Next: dunwell policy check {kept.name} --cases FILE")


@click.command("check")
@click.argument("draft")
@TENANT
@click.option(
    "--cases",
    required=True,
    type=READABLE,
    help="Cases as `dunwell check` has them; one at least names the draft among its packs.",
)
def check_command(draft: str, tenant: str, cases: Path) -> None:
    """Lint a DRAFT beside the shipped packs and the tenant's own, and ask its cases.

    DRAFT is a pack's id (its newest draft), or PACK@HASH.  That it passed is recorded with the
    cases; nobody can approve a draft before.

    \b
    dunwell policy check acme-hours --tenant acme --cases acme-hours.cases.yaml

    \b
    Exit status:  0  passed
                  1  something is wrong; nothing was recorded
    """
    text = _text(cases)

    async def run(connection: Connection) -> Checked:
        return await drafts.check(connection, tenant, draft, text, str(cases))

    checked = on_database("policy", run)
    click.echo(f"{draft} passed: {checked.cases_right} case(s) right.")
    for each in checked.loosens:
        click.echo(f"It {drafts.said_of(each)}.")
    said = " --loosens-own" if checked.loosens else ""
    click.echo(f"Next, by somebody else: dunwell policy approve {draft} --by THEM{said}")


@click.command("approve")
@click.argument("draft")
@TENANT
@click.option("--by", required=True, metavar="NAME", help="Who approves it: not who drafted it.")
@click.option(
    "--loosens-own",
    is_flag=True,
    help="I know that it asks less than the tenant's own version before; this is recorded.",
)
def approve_command(draft: str, tenant: str, by: str, loosens_own: bool) -> None:
    """Approve a DRAFT that was checked.  It can then be put in force, and never changes again.

    DRAFT is a pack's id if one draft of it waits, or PACK@HASH.  One that is approved, and would
    now take the place of a stricter version, can be given --loosens-own too.

    \b
    dunwell policy approve acme-hours --tenant acme --by bob
    """

    async def run(connection: Connection) -> Draft:
        return await drafts.approve(connection, tenant, draft, by, loosens_own=loosens_own)

    done = on_database("policy", run)
    click.echo(f"{done.name} is approved by {done.approved_by}; drafted by {done.drafted_by}.")
    for each in done.loosenings:
        click.echo(f"Recorded: it loosens {each.rule}, accepted by {each.by}.")
    click.echo(f"Next: dunwell policy activate {done.name} --from INSTANT --by … --approved-by …")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} can't be read as UTF-8: {error}") from None
