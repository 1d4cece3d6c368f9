"""What the code says of itself, read from its source: log events, routes, problem codes."""

import ast
from collections.abc import Iterator
from pathlib import Path

SERVICES = Path(__file__).resolve().parents[2] / "services"
# Processes of ours that run for long; commands for people print instead of logging.
LOGGING = ("runtime", "scheduler", "policy", "notifier")

_LEVELS = {"debug", "info", "warning", "error"}
_LOGGERS = ("log", "seldom")


def calls(*folders: str) -> Iterator[ast.Call]:
    """Every call in these folders of services/."""
    for folder in folders:
        for path in sorted((SERVICES / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield node


def log_events() -> dict[str, set[str]]:
    """Each event name that a service logs, with its levels."""
    found: dict[str, set[str]] = {}
    for call in calls(*LOGGING):
        match call.func, call.args:
            case ast.Attribute(attr=level), [ast.Constant(value=str(name)), *_] if (
                level in _LEVELS
                and any(word in ast.unparse(call.func).lower() for word in _LOGGERS)
            ):
                found.setdefault(name, set()).add(level)
            case ast.Attribute(attr="_back_off"), [ast.Constant(value=str(name)), *_]:
                found.setdefault(name, set()).add("warning")
    return found


def routes_written(folder: str) -> int:
    """How many times a service writes web.get, web.post and so on, or its OpenAPI document."""
    methods = {"web.get", "web.post", "web.put", "web.delete", "web.patch"}
    return sum(
        ast.unparse(call.func) in methods or ast.unparse(call).startswith("described(Path(")
        for call in calls(folder)
    )


def problem_codes() -> set[tuple[int, str]]:
    """Status and code of every Problem that a door may answer with."""
    found = set()
    for call in calls(*LOGGING):
        match call.func, call.args:
            case ast.Name(id="Problem"), [
                ast.Constant(value=int(s)),
                ast.Constant(value=str(c)),
                *_,
            ]:
                found.add((s, c))
    return found
