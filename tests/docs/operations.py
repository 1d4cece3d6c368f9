"""The commands of docs/operations.md, and a shell in which a test types them."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

from services.runtime.migrate import SERVICES, role_url
from services.runtime.postgres_setup import readable_binaries
from tests.database import PASSWORDS
from tests.docs.fill import DOCS, ROOT

OPERATIONS = (DOCS / "operations.md").read_text()
SNIPPETS = dict(re.findall(r"<!-- snippet: (\S+) -->\n```sh\n(.*?)```", OPERATIONS, re.DOTALL))


def environment(owner_url: str, folder: Path) -> dict[str, str]:
    """What the page takes for granted: its variables, `dunwell` and PostgreSQL's tools."""
    dunwell = folder / "dunwell"
    dunwell.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m services "$@"\n')
    dunwell.chmod(0o755)
    return {
        "PATH": f"{folder}:{readable_binaries(None, folder) / 'bin'}:{os.environ['PATH']}",
        "DUNWELL_STREAM": "postgres",
        "DUNWELL_ADMIN_DATABASE_URL": owner_url,
        "DUNWELL_IDENTITY_KEY": secrets.token_urlsafe(32),
        "DUNWELL_API_KEY_PEPPER": secrets.token_urlsafe(32),
        **{f"DUNWELL_{s.upper()}_PASSWORD": PASSWORDS[s] for s in SERVICES},
        **{f"{s.upper()}_URL": role_url(owner_url, s, PASSWORDS[s]) for s in SERVICES},
    }


def typed(snippet: str, environment: dict[str, str], folder: Path) -> str:
    """What the commands of a snippet print, in a folder; each must succeed."""
    answer = subprocess.run(
        ["sh", "-eu", "-c", SNIPPETS[snippet]],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout
    return answer.stdout
