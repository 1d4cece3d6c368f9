"""Where the servers of a test run keep what is thrown away."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")
# A run needs a tenth of it. With less the machine may have better use for its memory.
PLENTY_BYTES = 4 << 30


@contextmanager
def data_folder() -> Iterator[Path | None]:
    """A folder in memory where there is plenty of it, else None: let the server choose.

    A database is 400 files: made on a disk it costs up to 0.4 s of CPU, in memory 0.03 s.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < PLENTY_BYTES:
        yield None
        return
    with tempfile.TemporaryDirectory(
        prefix="dunwell-tests-", dir=MEMORY, ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may have to run as somebody else
        yield folder / "data"
