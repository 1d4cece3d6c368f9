"""The commands of docs/operations.md, as typed, on an empty database."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.migrate import SERVICES, role_url
from tests.database import PASSWORDS
from tests.docs.fill import DOCS, ROOT

OPERATIONS = (DOCS / "operations.md").read_text()
SNIPPETS = dict(re.findall(r"<!-- snippet: (\S+) -->\n```sh\n(.*?)```", OPERATIONS, re.DOTALL))


@pytest.fixture
def environment(postgres_server: EmbeddedPostgres, tmp_path: Path) -> dict[str, str]:
    """What the page takes for granted: the variables it names, `dunwell`, and nothing else."""
    owner = postgres_server.dsn_of("set_up_from_nothing")
    dunwell = tmp_path / "dunwell"
    dunwell.write_text(f'#!/bin/sh\nexec {sys.executable} -m services "$@"\n')
    dunwell.chmod(0o755)
    urls = {service: role_url(owner, service, PASSWORDS[service]) for service in SERVICES}
    return {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "DUNWELL_STREAM": "postgres",
        "DUNWELL_ADMIN_DATABASE_URL": owner,
        "DUNWELL_IDENTITY_KEY": secrets.token_urlsafe(32),
        "DUNWELL_API_KEY_PEPPER": secrets.token_urlsafe(32),
        **{f"DUNWELL_{s.upper()}_PASSWORD": PASSWORDS[s] for s in SERVICES},
        **{f"{s.upper()}_URL": url for s, url in urls.items()},
    }


def typed(snippet: str, environment: dict[str, str], **more: str) -> str:
    """What the commands of a snippet print; each must succeed."""
    answer = subprocess.run(
        ["sh", "-eu", "-c", SNIPPETS[snippet]],
        cwd=ROOT,
        env=environment | more,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
    return answer.stdout


@pytest.mark.slow
async def test_an_installation_is_set_up_and_looked_after_as_the_page_says(
    postgres_server: EmbeddedPostgres, environment: dict[str, str]
) -> None:
    assert set(SNIPPETS) == {"set-up", "dead-letters", "held", "revoke"}
    admin = await asyncpg.connect(postgres_server.dsn)
    await admin.execute("CREATE DATABASE set_up_from_nothing")
    try:
        said = typed("set-up", environment)
        keys = re.findall(r"^dw_([0-9a-f]{12})_\S{43}$", said, re.MULTILINE)
        assert len(keys) == 4
        assert said.endswith("The topics are there.\n")

        scheduler = {"DUNWELL_DATABASE_URL": environment["SCHEDULER_URL"]}
        assert "No dead letters on " in typed("dead-letters", environment | scheduler)
        policy = {"DUNWELL_DATABASE_URL": environment["POLICY_URL"]}
        typed("held", environment | policy)
        assert "Revoked." in typed("revoke", environment, KEY_ID=keys[1])
    finally:
        await admin.execute("DROP DATABASE set_up_from_nothing WITH (FORCE)")
        await admin.close()
