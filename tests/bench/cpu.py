"""Processor time of a process and all that descends from it, from /proc."""

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def seconds(roots: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far of each named process id, its children and theirs, ended ones included."""
    children: dict[int, list[int]] = defaultdict(list)
    spent: dict[int, float] = {}
    for pid, parent, ticks in _processes():
        children[parent].append(pid)
        spent[pid] = ticks / _TICKS
    return {
        name: sum(spent.get(pid, 0.0) for pid in _tree(root, children))
        for name, root in roots.items()
    }


def _processes() -> Iterable[tuple[int, int, int]]:
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # it ended meanwhile
            # After the name, which may hold anything: state, parent, …; see proc(5).
            fields = stat[stat.rindex(")") + 2 :].split()
            yield int(folder.name), int(fields[1]), sum(map(int, fields[11:15]))


def _tree(root: int, children: Mapping[int, list[int]]) -> list[int]:
    found = [root]
    for pid in found:
        found += children.get(pid, ())
    return found
