"""The folder of one trial: made, writable, and nobody else's while the trial runs."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import click

HISTORY = "sandbox-history.jsonl"  # the sandbox's own record of what reached it
_LOCK = "in-use.lock"


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make it and keep others out: two in one folder write over each other's keys and record."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = stack.enter_context((folder / _LOCK).open("a"))
            # The kernel lets go of it when this process dies, however it dies.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _refused(
                f"another trial runs in the folder {folder}: end it, or name another folder"
                " with --folder"
            ) from None
        except OSError as error:
            raise _refused(f"the folder {folder} can't be used: {error.strerror}") from None
        yield


def refuse_an_earlier_run(folder: Path) -> None:
    """The sandbox appends to its record: a second run's promises would be judged by both."""
    if (folder / HISTORY).exists():
        raise _refused(
            f"the folder {folder} holds the record of an earlier run ({HISTORY}):"
            " name another with --folder, or empty it"
        )


def _refused(why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint="--folder")
