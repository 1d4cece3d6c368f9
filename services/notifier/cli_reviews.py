"""`dunwell reviews`: look at the stops that were taken from a message in doubt, and settle them."""

from typing import Any
from uuid import UUID

import click
import msgspec

from services.notifier import reviews
from services.notifier.reviews import Settlement, Settling
from services.runtime.cli_database import on_database
from services.runtime.database import Connection
from services.runtime.settings import PREFIX

_tenant = click.option(
    "--tenant", required=True, envvar=PREFIX + "TENANT", help=f"Whose; or set {PREFIX}TENANT."
)
_by = click.option("--by", required=True, metavar="NAME", help="Who looked at the message.")
_reason = click.option(
    "--reason", required=True, help="Why.  No names and no words of the message: it is kept."
)


@click.group("reviews")
def reviews_command() -> None:
    """Messages that were taken for a stop though the person may have meant something else.

    A reply that contains a stop word inside a longer text, or is a single letter, binds as an
    opt-out at once; it waits here for somebody to look at it.  What it says is not kept: MESSAGE is
    the provider's id, by which it can be read there.

    Works on the notifier's own database: DUNWELL_DATABASE_URL (or a file named by
    DUNWELL_DATABASE_URL_FILE).  The running service tells policy within seconds.

    \b
    dunwell reviews list --tenant acme
    dunwell reviews confirm REVIEW --tenant acme --by ann --reason "wants no texts"
    dunwell reviews lift REVIEW --tenant acme --by ann --reason "asked how to stop late fees"
    """


@reviews_command.command("list")
@_tenant
@click.option("--settled", is_flag=True, help="Those that were settled: by whom, and why.")
@click.option("--json", "as_json", is_flag=True, help="One object a review, one a line.")
def list_command(tenant: str, settled: bool, as_json: bool) -> None:
    """What waits to be looked at, oldest first."""
    read = reviews.settled if settled else reviews.waiting

    async def run(connection: Connection) -> list[dict[str, Any]]:
        return await read(connection, tenant)

    rows = on_database("notifier", run)
    for row in rows:
        if as_json:
            click.echo(msgspec.json.encode(row))
            continue
        said = f"{row['word_class']} ({', '.join(row['languages'])})"
        click.echo(f"{row['review_id']}  {row['received_at']:%F %H:%MZ}  {row['channel']}  {said}")
        click.echo(f"    message {row['message_ref']} at {row['contact_point_id']}")
        if settled:
            when = f"{row['settled_at']:%F %H:%MZ}"
            click.echo(f"    {row['settled_as']} by {row['settled_by']}, {when}: {row['reason']}")
    if not rows and not as_json:
        click.echo("Nothing was settled yet." if settled else "Nothing waits to be looked at.")


@reviews_command.command("confirm")
@click.argument("review", type=click.UUID)
@_tenant
@_by
@_reason
def confirm_command(review: UUID, tenant: str, by: str, reason: str) -> None:
    """The person did mean stop: it stays."""
    _settle(review, tenant, by, reason, "confirmed")
    click.echo("Confirmed: the stop stays.")


@reviews_command.command("lift")
@click.argument("review", type=click.UUID)
@_tenant
@_by
@_reason
def lift_command(review: UUID, tenant: str, by: str, reason: str) -> None:
    """The person meant something else: this stop ends.  Other stops of theirs stay."""
    settled = _settle(review, tenant, by, reason, "lifted")
    if settled.still_blocked:
        click.echo("Lifted; another stop of the same contact point is in force and stays.")
    else:
        click.echo("Lifted: the contact point may be used again.")


def _settle(
    review: UUID, tenant: str, by: str, reason: str, how: Settlement
) -> reviews.ReviewAnswer:
    try:
        settling = msgspec.convert({"by": by, "reason": reason}, Settling)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"--by and --reason: {error}") from None

    async def run(connection: Connection) -> reviews.ReviewAnswer:
        return await reviews.settle(connection, tenant, review, settling, how)

    return on_database("notifier", run)
