"""Imports go down only: a service → services.runtime → services.events; never sideways."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "services"
MODULES = sorted(path for path in ROOT.rglob("*.py"))

# Who may import whom, beside itself.  `trial` starts the services as processes, by their doors.
ALLOWED = {
    "events": set(),
    "runtime": {"events"},
    "scheduler": {"runtime", "events"},
    "policy": {"runtime", "events"},
    "notifier": {"runtime", "events"},
    "sandbox": {"runtime", "events"},
    "trial": {"runtime", "events"},
}


def imported(path: Path) -> set[str]:
    """The parts of `services` that a module imports, at any depth of its code."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("services.")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_lies_below_it(path: Path) -> None:
    part = path.relative_to(ROOT).parts[0]
    if part in ("__init__.py", "__main__.py"):
        assert not imported(path) & set(ALLOWED), "the command table loads modules by name"
        return
    assert imported(path) - {part} <= ALLOWED[part]


def test_every_part_of_the_product_has_a_place_in_the_layers() -> None:
    assert {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} == set(ALLOWED)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_begins_with_a_sentence_that_says_what_it_is(path: Path) -> None:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring
    assert docstring.split("\n\n")[0].rstrip()[-1] in ".?!:", path
