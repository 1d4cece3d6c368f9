"""Forward-only migrations: one schema and one role a service, numbered SQL files, checksums.

Alembic would bring SQLAlchemy and a second driver for what is a table of applied files; see
docs/decisions/0001-own-migration-runner.md.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from services.runtime.database import Connection

SERVICES = ("scheduler", "policy", "notifier")
_ROOT = Path(__file__).resolve().parents[1]
_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql\Z")
_LOCK = 7_265_401  # any constant: one migration at a time

_GATE = """
CREATE FUNCTION policy.gate_now() RETURNS timestamptz
    LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';
CREATE FUNCTION policy.clock_is_stepped() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT false';
"""


OLDEST = 18  # of PostgreSQL: our statements return what a row was before (RETURNING old)


class MigrationError(Exception):
    """A file changed after it was applied, or is missing or misnamed, or the server is too old;
    nothing was done.
    """


def role_url(admin_url: str, service: str, password: str) -> str:
    """The admin's URL with a service's role and password in it."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{service}:{quote(password, safe='')}@{host}"))


async def migrate_all(admin_url: str, passwords: Mapping[str, str]) -> list[str]:
    """Make roles and schemas, apply what is not applied yet; returns what was.  Idempotent.

    `passwords` has one entry a service; a role that exists gets the password given.
    """
    applied: list[str] = []
    admin = await asyncpg.connect(admin_url)
    try:
        if (major := admin.get_server_version().major) < OLDEST:
            raise MigrationError(f"this is PostgreSQL {major}; Dunwell needs {OLDEST} or newer")
        await admin.execute("SELECT pg_advisory_lock($1)", _LOCK)
        for service in SERVICES:
            await _role(admin, service, passwords[service])
        await _schemas(admin)
        runtime = _files(_ROOT / "runtime" / "schema")
        for service in SERVICES:
            files = runtime + _files(_ROOT / service / "schema")
            applied += await _apply(admin, service, files, as_role=service)
        stream = _files(_ROOT / "runtime" / "stream_schema")
        applied += await _apply(admin, "stream", stream, as_role=None)
        await _grant_stream(admin)
    finally:
        await admin.close()
    return applied


async def _role(admin: Connection, role: str, password: str) -> None:
    exists = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if exists else "CREATE"
    # Roles can't be parametrised; format() quotes both.
    statement = await admin.fetchval(
        f"SELECT format('{verb} ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)", role, password
    )
    await admin.execute(statement)


async def _schemas(admin: Connection) -> None:
    for service in SERVICES:
        # PostgreSQL 16+: the owner must be a member of the role to give it a schema.
        await admin.execute(f"GRANT {service} TO CURRENT_USER")
        await admin.execute(f"CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION {service}")
        await admin.execute(f"REVOKE ALL ON SCHEMA {service} FROM PUBLIC")
    await admin.execute("CREATE SCHEMA IF NOT EXISTS stream")
    if not await admin.fetchval("SELECT to_regprocedure('policy.gate_now()') IS NOT NULL"):
        await admin.execute(_GATE)
    # The clock is the one thing of policy's schema that others may touch: USAGE shows no table.
    for service in SERVICES:
        await admin.execute(f"GRANT USAGE ON SCHEMA policy TO {service}")


async def _grant_stream(admin: Connection) -> None:
    for service in SERVICES:
        await admin.execute(f"GRANT USAGE ON SCHEMA stream TO {service}")
        await admin.execute(
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stream TO {service}"
        )
        await admin.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA stream TO {service}")


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    for file in files:
        if not _NAME.match(file.name):
            raise MigrationError(f"{file.name}: name it NNNN_what.sql")
    return files


async def _apply(
    admin: Connection,
    schema: str,
    files: Sequence[Path],
    *,
    as_role: str | None,
) -> list[str]:
    await admin.execute(
        f"CREATE TABLE IF NOT EXISTS {schema}.migrations ("
        " name text PRIMARY KEY, sha256 text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now())"
    )
    done: dict[str, str] = {
        row["name"]: row["sha256"]
        for row in await admin.fetch(f"SELECT name, sha256 FROM {schema}.migrations")
    }
    applied = []
    for file in files:
        name = f"{file.parents[1].name}/{file.name}"
        text = file.read_text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        if name in done:
            if done[name] != digest:
                raise MigrationError(f"{name} changed after it was applied: add a new file instead")
            continue
        async with admin.transaction():
            await admin.execute(f"SET LOCAL search_path = {schema}")
            if as_role:
                await admin.execute(f"SET LOCAL ROLE {as_role}")
            await admin.execute(text)
            await admin.execute("RESET ROLE")
            await admin.execute(
                f"INSERT INTO {schema}.migrations (name, sha256) VALUES ($1, $2)", name, digest
            )
        applied.append(f"{schema}: {name}")
    return applied
