"""Reads a `queries.sql` of named blocks: `-- name` on a line of its own, then one statement.

Statements take batches: `columns` turns rows into the arrays that `unnest` wants.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

_HEAD = re.compile(r"^-- ([a-z][a-z0-9_]*)\s*$")


def load(path: Path) -> Mapping[str, str]:
    """Statement by name.  Two blocks of one name, or text before the first, is an error."""
    blocks: dict[str, list[str]] = {}
    lines: list[str] | None = None
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if head := _HEAD.match(line):
            if head[1] in blocks:
                raise ValueError(f"{path.name}:{number}: a second block named {head[1]}")
            lines = blocks[head[1]] = []
        elif lines is not None:
            lines.append(line)
        elif line.strip() and not line.startswith("--"):
            raise ValueError(f"{path.name}:{number}: a statement before the first `-- name`")
    return MappingProxyType({name: "\n".join(text).strip() for name, text in blocks.items()})


def columns(rows: Iterable[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows as one array a column; `width` empty ones for no rows."""
    turned = [list(column) for column in zip(*rows, strict=True)]
    return turned or [[] for _ in range(width)]
