"""A service that can't start says in a sentence what was tried and which variable to correct."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.database import Database
from tests.service_process import refused, running, variables


@pytest.fixture
def taken() -> Iterator[str]:
    """A port of this machine that somebody holds, and that answers nobody."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield str(held.getsockname()[1])


async def start(database: Database, **wrong: str) -> tuple[int, str]:
    done = await asyncio.to_thread(refused, "policy", variables("policy", database, **wrong))
    return done.returncode, done.stderr


def assert_one_sentence(said: str, *named: str) -> None:
    assert all(each in said for each in named), said
    assert said.count("\n") == 1, said
    assert "secret" not in said


async def test_a_database_that_refuses_ends_the_start_with_2_and_its_variable(
    database: Database,
) -> None:
    url = database.dsn("policy")
    for given, why in (
        (url.replace(url.partition("@")[0].rpartition(":")[2], "secret", 1), "the role or its"),
        (url.rpartition("/")[0] + "/nobodys", "there is no such database"),
        (database.dsn("notifier"), "this role may not read policy's tables"),
    ):
        code, said = await start(database, DUNWELL_DATABASE_URL=given)
        assert code == 2
        assert_one_sentence(said, "DUNWELL_DATABASE_URL", why)


@pytest.mark.parametrize("variable", ["DUNWELL_DATABASE_URL", "DUNWELL_STREAM_DATABASE_URL"])
async def test_a_database_that_is_away_is_named_with_its_variable(
    database: Database, taken: str, variable: str
) -> None:
    for host in (f"127.0.0.1:{taken}", f"nowhere.invalid:{taken}"):
        code, said = await start(database, **{variable: f"postgresql://policy:secret@{host}/x"})
        assert code == 1
        assert_one_sentence(said, variable, f"PostgreSQL at {host}/x can't be reached")


@pytest.mark.parametrize("door", ["HTTP", "ADMIN"])
async def test_a_place_where_nobody_can_listen_is_named_with_its_variables(
    database: Database, taken: str, door: str
) -> None:
    code, said = await start(database, **{f"DUNWELL_{door}_PORT": taken})
    assert code == 2
    assert_one_sentence(said, f"DUNWELL_{door}_PORT", f"127.0.0.1:{taken} (Address already in use)")
    for host in ("nowhere.invalid", "192.0.2.1"):
        code, said = await start(database, **{f"DUNWELL_{door}_HOST": host})
        assert code == 2
        assert_one_sentence(said, f"DUNWELL_{door}_HOST", f"can't listen at {host}:0")


async def test_kafka_that_is_away_is_named_with_its_variable(
    database: Database, taken: str, tmp_path: Path
) -> None:
    address = f"127.0.0.1:{taken}"
    kafka = {"DUNWELL_STREAM": "kafka", "DUNWELL_KAFKA_BOOTSTRAP_SERVERS": address}
    log = tmp_path / "log"
    with running("policy", variables("policy", database, **kafka), log):
        for _ in range(2400):
            said = [line for line in log.read_text().splitlines() if "kafka_unreachable" in line]
            if said:
                break
            await asyncio.sleep(0.05)
    assert address in said[0]
    assert "DUNWELL_KAFKA_BOOTSTRAP_SERVERS" in said[0]
