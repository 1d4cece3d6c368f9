"""The append-only JSONL record of all the sandbox saw and did."""

import asyncio
import os
from collections import deque
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

KEPT_IN_MEMORY = 100_000  # lines for /sandbox/history.json; the file has them all

_encode = msgspec.json.Encoder().encode


class History:
    """One line an event, numbered `n`; lines of one loop tick go out in one write."""

    def __init__(self, path: Path | None) -> None:
        self._file = _open(path) if path else None
        self._pending: list[bytes] = []
        self.recent: deque[bytes] = deque(maxlen=KEPT_IN_MEMORY)
        self.last = _last_number(path) if path else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.flush()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def write(self, event: str, **fields: Any) -> int:
        """The line's number; the line is in the file before the next turn of the loop."""
        self.last += 1
        line = _encode({"n": self.last, "event": event, **fields})
        self.recent.append(line)
        if self._file is not None:
            if not self._pending:
                asyncio.get_running_loop().call_soon(self.flush)
            self._pending.append(line)
        return self.last

    def flush(self) -> None:
        if self._file is None or not self._pending:
            return
        rest = memoryview(b"\n".join(self._pending) + b"\n")
        self._pending.clear()
        while rest:
            rest = rest[os.write(self._file, rest) :]

    def page(self, after: int, limit: int) -> list[bytes]:
        """Encoded lines with n > after, oldest first, as far back as memory goes."""
        first = self.last - len(self.recent) + 1
        start = max(after + 1 - first, 0)
        return list(islice(self.recent, start, start + limit))


def now() -> datetime:
    """The real clock, aware UTC."""
    return datetime.now(UTC)


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _last_number(path: Path) -> int:
    """A restarted sandbox goes on counting, so `n` names one line of the file."""
    with path.open("rb") as lines:
        last = deque(lines, maxlen=1)
    return int(msgspec.json.decode(last[0])["n"]) if last else 0
