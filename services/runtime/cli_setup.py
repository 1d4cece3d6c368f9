"""`dunwell migrate`, `topics` and `keys`: what an operator does before the services start."""

import asyncio
import sys
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import asyncpg
import click

from services.runtime import apikeys
from services.runtime import migrate as migrations
from services.runtime.cli_database import required
from services.runtime.cli_outage import database_reached, stream_reached
from services.runtime.settings import StreamSettings, load


def role_passwords() -> Mapping[str, str]:
    """Each service's database password, from DUNWELL_<SERVICE>_PASSWORD."""
    return {name: required(f"{name.upper()}_PASSWORD") for name in migrations.SERVICES}


@click.command()
def migrate() -> None:
    """Bring the databases up to date: roles, schemas, tables.  Safe to repeat.

    Needs DUNWELL_ADMIN_DATABASE_URL (the database's owner) and DUNWELL_SCHEDULER_PASSWORD,
    DUNWELL_POLICY_PASSWORD, DUNWELL_NOTIFIER_PASSWORD for the three roles; each may come from a
    file named by the same variable with _FILE.
    """
    admin = required("ADMIN_DATABASE_URL")
    passwords = role_passwords()
    try:
        with database_reached(admin, "DUNWELL_ADMIN_DATABASE_URL"):
            applied = asyncio.run(migrations.migrate_all(admin, passwords))
    except migrations.MigrationError as error:
        raise click.ClickException(str(error)) from None
    for line in applied:
        click.echo(f"applied  {line}")
    click.echo(f"{len(applied)} migrations applied; the schemas are up to date.")


@click.command()
def topics() -> None:
    """Create the topics that are missing, and their dead letters.  Safe to repeat."""
    from services.runtime.streams import open_stream

    settings = load(StreamSettings)

    async def create() -> None:
        async with open_stream(settings) as stream:
            await stream.ensure_topics()

    with stream_reached(settings):
        asyncio.run(create())
    click.echo("The topics are there.")


@click.group()
def keys() -> None:
    """Issue, list and revoke API keys.

    Each service keeps the keys it checks in its own schema; DUNWELL_DATABASE_URL says which
    service's, and to issue one DUNWELL_API_KEY_PEPPER is that service's pepper.
    """


@keys.command()
@click.option("--tenant", required=True, help="Whose key; '*' with scope service.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice(["ingest", "clearance", "admin", "service"]),
    help="What it may do; may be repeated.",
)
@click.option("--label", required=True, help="What it is for: 'core banking, production'.")
def issue(tenant: str, scopes: tuple[str, ...], label: str) -> None:
    """Print a new key.  It is shown this once; only its HMAC is stored."""
    url, pepper = required("DATABASE_URL"), required("API_KEY_PEPPER").encode()

    async def store() -> str:
        connection = await asyncpg.connect(url, server_settings={"search_path": _schema(url)})
        try:
            return await apikeys.issue(
                connection, pepper, tenant=tenant, scopes=scopes, label=label
            )
        finally:
            await connection.close()

    with database_reached(url, "DUNWELL_DATABASE_URL"):
        try:
            click.echo(asyncio.run(store()))
        except apikeys.WrongTenant as error:
            raise click.UsageError(f"--tenant: {error}") from None


@keys.command("list")
def list_command() -> None:
    """Every key that this service knows, oldest first; never a secret, for none is stored."""
    url = required("DATABASE_URL")

    async def read() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(url, server_settings={"search_path": _schema(url)})
        try:
            return await connection.fetch(
                "SELECT key_id, tenant, scopes, label, created_at, revoked_at FROM api_keys"
                " ORDER BY created_at, key_id"
            )
        finally:
            await connection.close()

    with database_reached(url, "DUNWELL_DATABASE_URL"):
        rows = asyncio.run(read())
    if not rows:
        click.echo("No key was issued here.")
    for row in rows:
        ended = f", revoked {row['revoked_at']:%F %H:%MZ}" if row["revoked_at"] else ""
        click.echo(
            f"{row['key_id']}  {row['tenant']}  {','.join(row['scopes'])}"
            f"  issued {row['created_at']:%F %H:%MZ}{ended}  {row['label']}"
        )


@keys.command()
@click.argument("key_id")
def revoke(key_id: str) -> None:
    """Revoke a key by its id, the 12 digits after `dw_`.  It is dead within 5 seconds."""
    url = required("DATABASE_URL")

    async def end() -> str:
        connection = await asyncpg.connect(url, server_settings={"search_path": _schema(url)})
        try:
            return await connection.execute(
                "UPDATE api_keys SET revoked_at = now() WHERE key_id = $1 AND revoked_at IS NULL",
                key_id,
            )
        finally:
            await connection.close()

    with database_reached(url, "DUNWELL_DATABASE_URL"):
        ended = asyncio.run(end())
    if ended == "UPDATE 0":
        click.echo(
            "There is no live key of that id here: `dunwell keys list` names them, and"
            " DUNWELL_DATABASE_URL says at which service.",
            err=True,
        )
        sys.exit(1)
    click.echo("Revoked.")


def _schema(url: str) -> str:
    """The role's own schema has the role's name."""
    role = urlsplit(url).username
    if not role:
        raise click.UsageError("DUNWELL_DATABASE_URL names no role: postgresql://role:password@…")
    return unquote(role)
