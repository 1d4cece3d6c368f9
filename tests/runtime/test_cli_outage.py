"""A command that reaches nobody says what it tried and what to set, and shows no traceback."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from click import ClickException

from services.events.base import TENANT_PATTERN
from services.runtime.cli_outage import database_reached, stream_reached
from services.runtime.cli_setup import _schema
from services.runtime.settings import ServiceSettings, read
from services.runtime.stream_kafka import TopicsWrong
from tests.database import Database

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {f"DUNWELL_{s}_PASSWORD": "p" for s in ("SCHEDULER", "POLICY", "NOTIFIER")}
SECRETS = {"DUNWELL_IDENTITY_KEY": "i" * 32, "DUNWELL_API_KEY_PEPPER": "p" * 32}
ISSUE = ("keys", "issue", "--tenant", "acme", "--scope", "ingest", "--label", "test")


@pytest.fixture
def nowhere() -> str:
    """A port of this machine at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{held.getsockname()[1]}"


def dunwell(*words: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, what it printed, and what it said of errors."""
    done = subprocess.run(
        [sys.executable, "-m", "services", *words],
        cwd=ROOT, env=SECRETS | PASSWORDS | environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def assert_one_sentence(told: tuple[int, str, str], *named: str) -> None:
    code, printed, said = told
    assert (code, printed) == (1, ""), told
    assert said.startswith("Error: "), said
    assert said.endswith(".\n"), said
    assert said.count("\n") == 1, said
    assert all(each in said for each in named), said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("words", "variable"),
    [
        (("migrate",), "DUNWELL_ADMIN_DATABASE_URL"),
        (ISSUE, "DUNWELL_DATABASE_URL"),
        (("keys", "revoke", "0123456789ab"), "DUNWELL_DATABASE_URL"),
        (("policy", "status", "--tenant", "acme"), "DUNWELL_DATABASE_URL"),
        (("policy", "backtest", "--verify"), "DUNWELL_DATABASE_URL"),
        (("reviews", "list", "--tenant", "acme"), "DUNWELL_DATABASE_URL"),
    ],
)
def test_a_database_that_is_away_is_named_with_its_variable(
    nowhere: str, words: tuple[str, ...], variable: str
) -> None:
    url = f"postgresql://policy:secret@{nowhere}/dunwell"
    told = dunwell(*words, **{variable: url})
    assert_one_sentence(told, f"PostgreSQL at {nowhere}/dunwell can't be reached", variable)


@pytest.mark.parametrize("words", [("topics",), ("dlq", "list"), ("dlq", "replay")])
def test_a_stream_that_is_away_is_named_with_its_variable(
    nowhere: str, words: tuple[str, ...]
) -> None:
    database = {"DUNWELL_DATABASE_URL": f"postgresql://policy:secret@{nowhere}/dunwell"}
    told = dunwell(*words, **database, DUNWELL_STREAM="postgres")
    assert_one_sentence(told, nowhere, "DUNWELL_DATABASE_URL")
    kafka = {"DUNWELL_STREAM": "kafka", "DUNWELL_KAFKA_BOOTSTRAP_SERVERS": nowhere}
    told = dunwell(*words, **database, **kafka)
    assert_one_sentence(told, f"Kafka at {nowhere}", "DUNWELL_KAFKA_BOOTSTRAP_SERVERS")


@pytest.mark.parametrize("words", [("topics",), ("dlq", "list"), ("dlq", "replay")])
def test_a_command_on_the_stream_asks_for_no_more_than_that(
    nowhere: str, words: tuple[str, ...]
) -> None:
    kafka = {"DUNWELL_STREAM": "kafka", "DUNWELL_KAFKA_BOOTSTRAP_SERVERS": nowhere}
    for given in (
        kafka,
        {"DUNWELL_STREAM_DATABASE_URL": f"postgresql://policy:secret@{nowhere}/x"},
    ):
        unset = {"DUNWELL_IDENTITY_KEY": "", "DUNWELL_API_KEY_PEPPER": ""}
        assert_one_sentence(dunwell(*words, **unset, **given), nowhere)
    code, _, said = dunwell(*words)
    assert code == 2
    assert "DUNWELL_DATABASE_URL" in said


async def test_a_database_that_refuses_us_or_lacks_our_tables_says_so(database: Database) -> None:
    url = database.dsn("policy")
    wrong = url.replace(url.partition("@")[0].rpartition(":")[2], "secret", 1)
    missing = url.rpartition("/")[0] + "/nobodys"
    for given, said in (
        (wrong, "refused the role or its password"),
        (missing, "there is no such database"),
        (database.admin_dsn, "lacks our tables: run `dunwell migrate`"),
    ):
        told = await asyncio.to_thread(dunwell, *ISSUE, DUNWELL_DATABASE_URL=given)
        assert_one_sentence(told, said, "DUNWELL_DATABASE_URL")


def test_a_server_without_a_free_connection_is_told_with_what_mends_it() -> None:
    url = "postgresql://policy:secret@db:5432/x"
    with pytest.raises(ClickException) as told, database_reached(url, "DUNWELL_DATABASE_URL"):
        raise asyncpg.TooManyConnectionsError("sorry, too many clients already")
    assert "raise its max_connections" in told.value.message


@pytest.mark.parametrize(
    ("words", "wanted", "given"),
    [
        (("stops", "list", "--borrower-ref", "B-1"), "policy", "notifier"),
        (("policy", "status"), "policy", "notifier"),
        (("reviews", "list"), "notifier", "policy"),
    ],
)
async def test_another_services_database_is_answered_with_whose_is_wanted(
    database: Database, words: tuple[str, ...], wanted: str, given: str
) -> None:
    url = database.dsn(given)
    told = await asyncio.to_thread(dunwell, *words, "--tenant", "acme", DUNWELL_DATABASE_URL=url)
    assert_one_sentence(told, f"may not read {wanted}'s tables", f"must be {wanted}'s own")


async def test_keys_are_listed_without_a_secret(database: Database) -> None:
    url = database.dsn("policy")

    async def keys(*words: str) -> str:
        told = await asyncio.to_thread(dunwell, "keys", *words, DUNWELL_DATABASE_URL=url)
        assert told[0] == 0, told
        return told[1]

    assert await keys("list") == "No key was issued here.\n"
    issued = [(await keys(*ISSUE[1:])).strip() for _ in range(2)]
    ids = [key.split("_")[1] for key in issued]
    await keys("revoke", ids[0])
    first, second = (await keys("list")).splitlines()
    assert first.startswith(f"{ids[0]}  acme  ingest  issued ")
    assert ", revoked " in first
    assert second.startswith(f"{ids[1]}  acme  ingest  issued ")
    assert second.endswith("  test")
    assert "revoked" not in second
    assert not any(key.split("_", 2)[2] in first + second for key in issued)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://scheduler@db:5432/x",
        "postgresql://scheduler:secret@db:5432/x",
        "postgresql://scheduler:se:cret@db/x",
    ],
)
def test_keys_go_to_the_schema_of_the_urls_role(url: str) -> None:
    assert _schema(url) == "scheduler"


def test_a_url_without_a_role_is_a_mistake_of_usage() -> None:
    code, _, said = dunwell(*ISSUE, DUNWELL_DATABASE_URL="postgresql://127.0.0.1:5432/x")
    assert code == 2
    assert "DUNWELL_DATABASE_URL" in said


async def test_a_tenant_that_no_event_can_name_is_a_mistake_of_usage(database: Database) -> None:
    words = ("Acme" if word == "acme" else word for word in ISSUE)
    given = {"DUNWELL_DATABASE_URL": database.dsn("scheduler")}
    code, printed, said = await asyncio.to_thread(dunwell, *words, **given)
    assert (code, printed) == (2, "")
    assert "--tenant" in said
    assert TENANT_PATTERN.pattern in said


@pytest.mark.parametrize("url", ["postgresql://policy@[::1/x", "mysql://policy@127.0.0.1/x"])
def test_what_is_no_url_is_a_mistake_of_usage(url: str) -> None:
    code, _, said = dunwell(*ISSUE, DUNWELL_DATABASE_URL=url)
    assert code == 2
    assert "DUNWELL_DATABASE_URL" in said
    code, _, said = dunwell(*ISSUE, DUNWELL_DATABASE_URL_FILE="/nowhere/at/all")
    assert code == 2
    assert "DUNWELL_DATABASE_URL_FILE: cannot read that file" in said


def test_topics_that_are_wrong_are_named_with_the_cluster() -> None:
    given = {
        **SECRETS,
        "DUNWELL_DATABASE_URL": "postgresql://policy@127.0.0.1/x",
        "DUNWELL_STREAM": "kafka",
    }
    settings = read(ServiceSettings, given)
    wrong = "reminder.due has 3 partitions instead of 12. Keys would land elsewhere: make it anew."
    with pytest.raises(ClickException) as refused, stream_reached(settings):
        raise TopicsWrong(wrong)
    assert refused.value.message == f"Kafka at 127.0.0.1:9092: {wrong}"
    assert refused.value.exit_code == 1
