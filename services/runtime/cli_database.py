"""What commands share that work on a database: where it is, and one transaction on it."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from services.runtime import database
from services.runtime.cli_outage import database_reached, may_read
from services.runtime.database import Connection
from services.runtime.settings import PREFIX, SettingsError, given
from services.runtime.web import FieldError, Problem

T = TypeVar("T")


def setting(name: str) -> str | None:
    """A variable, or the content of the file that its `_FILE` twin names.

    Exit 2 if that file can't be read, or is empty.
    """
    try:
        return given(name, os.environ)
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def required(name: str, what: str = "") -> str:
    """The same; without it exit 2, saying so and what it is."""
    value = setting(name)
    if not value:
        ends = f": {what}." if what else "."
        raise click.UsageError(f"{PREFIX}{name} (or {PREFIX}{name}_FILE) is required{ends}")
    return value


def on_database(schema: str, run: Callable[[Connection], Awaitable[T]]) -> T:
    """Run in one transaction on a service's database; what is wrong is said, not traced."""
    url = required("DATABASE_URL", f"{schema}'s database")

    async def go() -> T:
        async with (
            database.pool(url, schema=schema, max_size=1) as db,
            database.transaction(db) as connection,
        ):
            await may_read(connection, schema)
            return await run(connection)

    try:
        with database_reached(url, f"{PREFIX}DATABASE_URL", schema):
            return asyncio.run(go())
    except Problem as problem:
        _say(problem)
        sys.exit(1)


def _say(problem: Problem) -> None:
    """What a door answers with fields, a command says of its options; each once."""
    said = [f"{error.field} {error.problem}" for error in problem.errors]
    if said == [problem.detail]:
        error = problem.errors[0]
        click.echo(f"Refused: {_of_option(error)}.\n    → {error.fix}", err=True)
        return
    click.echo(f"Refused: {problem.detail}.", err=True)
    for error in problem.errors:
        click.echo(f"  {_of_option(error)}\n    → {error.fix}", err=True)


def _of_option(error: FieldError) -> str:
    """`--on-word-of does not end this stop`; a flag, which has no value, stands behind it."""
    context = click.get_current_context(silent=True)
    for param in context.command.params if context else ():
        if param.name == error.field and isinstance(param, click.Option):
            if param.is_flag:
                return f"{error.problem} ({param.opts[0]})"
            return f"{param.opts[0]} {error.problem}"
    return f"{error.field} {error.problem}"
