"""Logs carry ids, codes and counts; whatever is not on the list is dropped."""

import json

import pytest
import structlog

from services.runtime import log


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
