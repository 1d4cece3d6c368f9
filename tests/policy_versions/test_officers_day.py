"""docs/for-compliance.md, typed as it stands there."""

import asyncio
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from services.__main__ import main
from services.policy.pack import hash_of
from tests.database import Database
from tests.policy_service.events import TENANT, due, stop, who
from tests.policy_service.world import World

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "for-compliance.md"
BLOCK = re.compile(r"^## (?P<title>.+)$|^```(?P<kind>\S+)(?P<more>.*)\n(?P<text>[^`]*)```", re.M)

EVENING = datetime(2026, 6, 2, 23, 0, tzinfo=UTC)  # 19:00 in New York, the day before
MORNING = datetime(2026, 6, 3, 13, 0, tzinfo=UTC)
# What time it is when the officer comes to a heading.
CLOCK = {
    "Explain yesterday's refusal": datetime(2026, 6, 5, 13, 0, tzinfo=UTC),
    "Roll back": datetime(2026, 6, 5, 15, 0, tzinfo=UTC),
}
# Whose database a heading speaks of; without a word, policy's.
DATABASE = {"Look at what was taken for a stop": "notifier"}


class Command(NamedTuple):
    """A line after `$`, what it is to print (`…`: anything), and how it is to end."""

    line: str
    prints: str
    exits: int


def commands(text: str, more: str) -> Iterator[Command]:
    for part in text.split("$ dunwell ")[1:]:
        line, _, prints = part.partition("\n")
        yield Command(line, prints.strip(), 1 if "refused" in more else 0)


async def typed(command: Command, variables: dict[str, str]) -> str:
    """Run it here; the commands start event loops of their own, so in a thread."""
    words = [variables.get(word, word) for word in shlex.split(command.line)]
    done = await asyncio.to_thread(CliRunner().invoke, main, words, prog_name="dunwell")
    assert done.exit_code == command.exits, f"dunwell {command.line}\n{done.output}"
    return done.output


def assert_printed(command: Command, output: str) -> None:
    """What the document shows is there, wherever lines break."""
    shown, printed = (" ".join(text.split()) for text in (command.prints, output))
    pattern = re.sub(r"(\\ )?…(\\ )?", ".*", re.escape(shown))
    assert re.search(pattern, printed), f"dunwell {command.line}\n{output}"


async def test_each_command_of_the_officers_day_does_what_the_document_says(
    world: World, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DUNWELL_DATABASE_URL", database.dsn("policy"))
    monkeypatch.setenv("DUNWELL_TENANT", TENANT)
    await world.activate("us-fed", "house")
    for name in ("ada", "bea"):
        await world.person(name)
    await world.at(EVENING)
    await world.send("reminder.due", due("ada", due_at=EVENING))
    await world.at(MORNING)
    late = due("bea", due_at=datetime(2026, 6, 4, 22, 30, tzinfo=UTC))
    mistaken = stop("ada", source="desk")
    variables = {
        "$BORROWER": str(who("ada")),
        "$REMINDER": str(late.reminder_id),
        "$STOP": str(mistaken.stop_id),
    }
    number = 0
    for block in BLOCK.finditer(DOCUMENT.read_text(encoding="utf-8")):
        if block["title"] == "Explain yesterday's refusal":
            await world.at(late.due_at)
            await world.send("reminder.due", late)
        if block["title"] == "End a stop that was a mistake":
            await world.send("stop.events", mistaken)
        if block["title"] in CLOCK:
            await world.at(CLOCK[block["title"]])
        if block["title"]:
            whose = DATABASE.get(block["title"], "policy")
            monkeypatch.setenv("DUNWELL_DATABASE_URL", database.dsn(whose))
        if block["kind"] == "yaml":
            Path(block["more"].strip()).write_text(block["text"], encoding="utf-8")
            first = f"acme-hours@{hash_of(block['text'])[:12]}"
            variables.setdefault("$IN_FORCE", first)  # and again, after the roll-back
        if block["kind"] == "console":
            for command in commands(block["text"], block["more"]):
                assert_printed(command, await typed(command, variables))
                number += 1
    assert number == 28


def test_every_subcommand_of_policy_teaches_how_it_is_typed() -> None:
    group = main.get_command(None, "policy")  # type: ignore[arg-type]
    for name, command in group.commands.items():  # type: ignore[union-attr]
        shown = CliRunner().invoke(main, ["policy", name, "--help"], prog_name="dunwell")
        assert shown.exit_code == 0
        assert command.help, name
