"""Logs carry ids, codes and counts; whatever is not on the list is dropped."""

import ast
import json
from pathlib import Path

import pytest
import structlog

from services.runtime import log

SERVICES = Path(log.__file__).parents[1]
# Put there by `configure`, and by `service` of whatever crashed.
ADDED = {"event", "level", "timestamp", "service", "file", "line"}
LEVELS = {"debug", "info", "warning", "error"}


@pytest.fixture(autouse=True)
def _restore() -> object:
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    log._dropped.clear()


def test_a_key_that_is_not_on_the_list_does_not_get_out(capfdbinary) -> None:  # type: ignore[no-untyped-def]
    log.configure("policy")
    log.get().info("reminder_decided", code="frequency_cap", phone="+12025550123")
    line = capfdbinary.readouterr().err
    assert json.loads(line)["code"] == "frequency_cap"
    assert json.loads(line)["service"] == "policy"
    assert b"2025550123" not in line
    assert log.dropped_keys() == {"phone"}


def test_the_list_has_no_key_that_no_line_of_ours_says() -> None:
    said = {
        keyword.arg
        for path in SERVICES.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in LEVELS
        for keyword in call.keywords
    }
    assert log.ALLOWED - said - ADDED == set()
    assert said - log.ALLOWED - {None} == set()
