"""Child processes that never outlive their parent: started, ended, and free ports for them."""

import asyncio
import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

# Runs between fork and exec, in a fresh interpreter: Python code in a forked child of a threaded
# process may deadlock. The death signal is asked for after the user changed, because changing the
# user clears it; where the parent died in between, the child sees another parent and leaves.
_LAUNCH = """
import ctypes, os, sys
parent, death_signal, uid, gid = map(int, sys.argv[1:5])
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, death_signal)
if os.getppid() == parent:
    os.execvp(sys.argv[5], sys.argv[5:])
"""

# Below the ports that systems give to outgoing connections (32768 and up on Linux): one of those
# may be taken between our looking and a process's listening.
_PORTS = range(20_000, 32_000)
# What is held of the ports given out last, so that no other process of ours is given one of them
# before something listens there, or while it is restarted.
_held: deque[socket.socket] = deque()
_HELD = 64


def start_child(
    command: Sequence[str | Path],
    *,
    output: IO[bytes] | int | None = None,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    user: tuple[int, int] | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start `command`; call this from the main thread.

    On Linux the child gets `death_signal` when the thread that called this dies. `output` takes
    both its standard output and error. It leads its own session: Ctrl-C at the terminal reaches the
    parent alone, which then stops its children in order. `user` is (uid, gid), if we are root.
    """
    uid, gid = user or (-1, -1)
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCH]
    arguments = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
    return subprocess.Popen(
        [*launcher, *arguments, *map(str, command)],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT if output is not None else None,
        env=None if environment is None else dict(environment),
        cwd=folder,
        start_new_session=True,
    )


async def end_child(
    process: subprocess.Popen[bytes], how: signal.Signals, seconds: float
) -> int | None:
    """Send `how` if it still runs and wait; the exit code, or None if it runs on after so long."""
    if process.poll() is None:
        process.send_signal(how)
    return await wait_for_child(process, seconds)


async def wait_for_child(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """The exit code, or None if it still runs after so long."""
    deadline = time.monotonic() + seconds
    while (code := process.poll()) is None and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
    return code


def free_ports(count: int) -> list[int]:
    """Distinct TCP ports of this machine that nobody listens on, and nobody else was just given."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == count:
            break
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            _hold(port)
            found.append(port)
    _let_go(_HELD)
    return found


def _hold(port: int) -> None:
    """By a name that lives as long as this process; OSError if another has it."""
    if sys.platform == "linux":  # only there a Unix socket's name needs no file
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0dunwell-port-{port}")
        except OSError:
            name.close()
            raise
        _held.append(name)


@atexit.register
def _let_go(most: int = 0) -> None:
    while len(_held) > most:
        _held.popleft().close()
