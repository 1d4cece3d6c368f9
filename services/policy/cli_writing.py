"""How `dunwell policy` changes things: options, one transaction on policy's database, refusals."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from services.policy.cli_reading import database_url
from services.runtime import database
from services.runtime.cli_outage import database_reached
from services.runtime.database import Connection
from services.runtime.settings import PREFIX
from services.runtime.web import Problem

T = TypeVar("T")

TENANT = click.option(
    "--tenant",
    required=True,
    envvar=PREFIX + "TENANT",
    help=f"Whose rules; or set {PREFIX}TENANT.",
)
BY = click.option("--by", required=True, metavar="NAME", help="Who asks for it.")
APPROVED_BY = click.option(
    "--approved-by", required=True, metavar="NAME", help="Who approved it: somebody else."
)


def beside_the_sandbox() -> bool:
    """Whether every provider is the sandbox: shipped drafts need no word then."""
    return os.environ.get(PREFIX + "SANDBOX", "").lower() in ("1", "true", "yes", "on")


def on_database(run: Callable[[Connection], Awaitable[T]]) -> T:
    """Run in one transaction on policy's database; what is wrong is said, not traced."""
    url = database_url()

    async def go() -> T:
        async with (
            database.pool(url, schema="policy", max_size=1) as db,
            database.transaction(db) as connection,
        ):
            return await run(connection)

    try:
        with database_reached(url, f"{PREFIX}DATABASE_URL"):
            return asyncio.run(go())
    except Problem as problem:
        click.echo(f"Refused: {problem.detail}.", err=True)
        for error in problem.errors:
            click.echo(f"  {error.field} {error.problem}\n    → {error.fix}", err=True)
        sys.exit(1)
