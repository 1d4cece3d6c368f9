"""Starts a child process that never outlives its parent, as another user where asked."""

import os
import signal
import subprocess
import sys
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
