"""docs/sandbox.md says what the code does."""

import json
import re
from pathlib import Path

import pytest

from services.sandbox.behaviors import CONDUCT, Behavior, Channel
from services.sandbox.command import sandbox_command
from services.sandbox.magic import BY_LAST_TWO_DIGITS
from services.sandbox.settings import ACCOUNT_SID, AUTH_TOKEN
from tests.sandbox.conftest import Outsides
from tests.sandbox.test_history import text

DOCS = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


@pytest.mark.parametrize("behavior", [b for b in Behavior if b is not Behavior.OK])
def test_every_behavior_has_its_true_row(behavior: Behavior) -> None:
    (row,) = re.findall(rf"^\| `{behavior}` \|.*$", DOCS, re.MULTILINE)
    _, _, number, token, address, accepted, says, _ = (cell.strip() for cell in row.split("|"))
    digits = {b: last for last, b in BY_LAST_TWO_DIGITS.items()}
    conduct = CONDUCT[behavior]
    assert number == (f"`+1 500 555 01{digits[behavior]}`" if behavior in digits else "")
    assert token == (f"`{behavior}-`" if Channel.PUSH in conduct.channels else "")
    assert address == (f"`{behavior}@`" if Channel.EMAIL in conduct.channels else "")
    assert (accepted, says) == ("yes" if conduct.accepted else "no", conduct.says)


def test_every_flag_is_described() -> None:
    flags = {option for p in sandbox_command.params for option in p.opts}
    assert {flag for flag in flags if f"`{flag}`" not in DOCS} == set()


def test_the_account_is_the_one_that_the_code_expects() -> None:
    assert f"`{ACCOUNT_SID}`" in DOCS
    assert f"`{AUTH_TOKEN}`" in DOCS


async def test_every_event_and_field_of_the_history_is_described(outside: Outsides) -> None:
    async with outside() as world:
        await text(world.url)
    lines = [json.loads(line) for line in world.path.read_text().splitlines()]
    assert {line["event"] for line in lines} == {"started", "request", "reply", "stopped"}
    for line in lines:
        assert f"**`{line['event']}`**" in DOCS
        if line["event"] == "request":
            assert {field for field in line if f"`{field}`" not in DOCS} == {"event"}
