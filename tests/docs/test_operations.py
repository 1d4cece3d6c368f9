"""The commands of docs/operations.md, as typed, on an empty database."""

import re
from pathlib import Path

import asyncpg
import pytest

from services.runtime.embedded_postgres import EmbeddedPostgres
from tests.docs.operations import SNIPPETS, environment, typed


@pytest.mark.slow
async def test_an_installation_is_set_up_and_looked_after_as_the_page_says(
    postgres_server: EmbeddedPostgres, tmp_path: Path
) -> None:
    # The last two: tests/e2e/test_restore.py
    assert set(SNIPPETS) == {"set-up", "dead-letters", "held", "revoke", "back-up", "bring-back"}
    given = environment(postgres_server.dsn_of("set_up_from_nothing"), tmp_path)
    admin = await asyncpg.connect(postgres_server.dsn)
    await admin.execute("CREATE DATABASE set_up_from_nothing")
    try:
        said = typed("set-up", given, tmp_path)
        keys = re.findall(r"^dw_([0-9a-f]{12})_\S{43}$", said, re.MULTILINE)
        assert len(keys) == 4
        assert said.endswith("The topics are there.\n")

        scheduler = {"DUNWELL_DATABASE_URL": given["SCHEDULER_URL"]}
        assert "No dead letters on " in typed("dead-letters", given | scheduler, tmp_path)
        policy = {"DUNWELL_DATABASE_URL": given["POLICY_URL"]}
        typed("held", given | policy, tmp_path)
        assert "Revoked." in typed("revoke", given | {"KEY_ID": keys[1]}, tmp_path)
    finally:
        await admin.execute("DROP DATABASE set_up_from_nothing WITH (FORCE)")
        await admin.close()
