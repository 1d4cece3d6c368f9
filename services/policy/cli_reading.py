"""What the commands that only read policy's database share: the database, instants, drafts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from services.policy import activation, drafts
from services.policy.pack import shipped
from services.policy.pack_lint import SHIPPED
from services.runtime import database
from services.runtime.cli_database import required
from services.runtime.cli_outage import database_reached
from services.runtime.database import Connection
from services.runtime.settings import PREFIX
from services.runtime.web import Problem


class Instant(click.ParamType[datetime]):
    """An instant in UTC, or a date for its first instant there."""

    name = "instant"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Aware, whole seconds; or a usage error that shows how."""
        try:
            if len(value) == len("2026-06-01"):
                return datetime.combine(date.fromisoformat(value), datetime.min.time(), UTC)
            instant = datetime.fromisoformat(value)
        except ValueError:
            said = f"{value!r} is not an instant; write 2026-06-01T00:00:00Z or 2026-06-01"
            self.fail(said, param, ctx)
        if instant.tzinfo is None:
            self.fail(f"{value!r} has no time zone; write {value}Z for UTC", param, ctx)
        return instant.astimezone(UTC).replace(microsecond=0)


def database_url() -> str:
    """Policy's database, or a usage error that names the variable."""
    return required("DATABASE_URL", "policy's database")


@asynccontextmanager
async def reading(url: str) -> AsyncIterator[Connection]:
    """One snapshot of policy's database for as long as it takes; nothing can be written."""
    with database_reached(url, f"{PREFIX}DATABASE_URL", "policy"):
        async with (
            database.pool(url, schema="policy", max_size=1) as db,
            db.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            # Unlike a service, who reads a month of decisions had better read them as they lie.
            await connection.execute("SET LOCAL enable_seqscan = on")
            yield connection


def pack_text(named: str, tenant: str | None = None) -> tuple[str, str]:
    """The file and the text of a pack: by its path, by the id of a shipped one, as PACK@HASH a
    version that was in force for the tenant, or as `dunwell policy` names a draft that it keeps,
    DRAFT or DRAFT@HASH."""
    path = Path(named)
    if path.suffix not in (".yaml", ".yml") and not path.is_file():
        if named not in shipped():
            return _kept(named, tenant)
        path = SHIPPED / f"{named}.yaml"
    try:
        return str(path) if path.parent != SHIPPED else path.name, path.read_text(encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{named} can't be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise click.ClickException(f"{named} is not text in UTF-8; save it as UTF-8") from None


def _kept(named: str, tenant: str | None) -> tuple[str, str]:
    if tenant is None:
        raise click.UsageError(
            f"{named} is neither a file nor a shipped pack (`dunwell packs list` names those); "
            "say --tenant if it is a draft that was kept, or a version that was in force"
        )
    pack, _, prefix = named.partition("@")

    async def find(whose: str) -> str:
        async with reading(database_url()) as connection:
            text = None
            if prefix:
                text = await activation.text_in_force_once(connection, whose, pack, prefix)
            return text or (await drafts.find(connection, whose, named)).text

    try:
        return f"{pack}.yaml", asyncio.run(find(tenant))
    except Problem as problem:
        fixes = "".join(f"; {error.fix}" for error in problem.errors)
        raise click.ClickException(
            f"{named} is neither a file nor a shipped pack (`dunwell packs list` names those);"
            f" {problem.detail}{fixes}"
        ) from None
