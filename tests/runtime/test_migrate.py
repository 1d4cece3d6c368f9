"""Migrations are forward only, checked, and keep each service out of the others' rooms."""

import asyncpg
import pytest

from services.runtime import apikeys, clock, migrate
from services.runtime.database import pool, transaction
from tests.database import PASSWORDS, Database


async def test_migrating_again_changes_nothing(database: Database) -> None:
    assert await migrate.migrate_all(database.admin_dsn, PASSWORDS) == []


async def test_a_file_that_changed_after_it_was_applied_stops_the_run(database: Database) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    await admin.execute("UPDATE policy.migrations SET sha256 = 'another'")
    with pytest.raises(migrate.MigrationError, match="add a new file instead"):
        await migrate.migrate_all(database.admin_dsn, PASSWORDS)
    await admin.close()


@pytest.mark.parametrize("role", migrate.SERVICES)
async def test_a_service_sees_no_table_of_another(database: Database, role: str) -> None:
    admin = await asyncpg.connect(database.admin_dsn)
    visible = await admin.fetch(
        "SELECT n.nspname AS schemaname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
        " WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND nspname !~ '^(pg_|information_schema)'"
        " AND CASE relkind WHEN 'S' THEN has_sequence_privilege($1, c.oid, 'USAGE, SELECT, UPDATE')"
        " ELSE has_table_privilege($1, c.oid, 'SELECT, INSERT, UPDATE, DELETE') END",
        role,
    )
    await admin.close()
    assert {row["schemaname"] for row in visible} <= {role, "stream"}
    assert visible


async def test_business_time_is_real_time_unless_it_was_made_to_step(database: Database) -> None:
    async with (
        pool(database.dsn("notifier"), schema="notifier") as db,
        transaction(db) as connection,
    ):
        assert not await clock.is_stepped(connection)
        real = await connection.fetchval("SELECT clock_timestamp()")
        assert abs((await clock.gate_now(connection) - real).total_seconds()) < 5


async def test_a_key_is_stored_only_as_its_hmac(database: Database) -> None:
    async with pool(database.dsn("policy"), schema="policy") as db:
        async with transaction(db) as connection:
            key = await apikeys.issue(
                connection, b"p" * 32, tenant="acme", scopes=["ingest"], label="test"
            )
        row = dict(await db.fetchrow("SELECT * FROM api_keys"))
        assert key.split("_", 2)[2] not in str(row)
        assert key.split("_", 2)[2].encode() not in row["secret_hmac"]
