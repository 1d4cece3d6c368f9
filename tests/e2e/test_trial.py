"""What the trials print, and how they end."""

import asyncio
import io
from pathlib import Path

import pytest
from rich.console import Console

from services.trial import demo, installation
from services.trial.processes import Processes
from services.trial.world import World


def world_in(folder: Path) -> World:
    return World(folder=folder, admin_url="postgresql://127.0.0.1:1/trial")


async def cancelled_when_said(work: asyncio.Task[None], printed: io.StringIO) -> str:
    """Ctrl-C, once Ctrl-C was told of: what was printed till then."""
    while "Ctrl-C" not in printed.getvalue():
        await asyncio.sleep(0.01)
    work.cancel()
    await work
    return printed.getvalue()


async def test_a_demo_that_is_kept_shows_doors_and_key_and_ctrl_c_is_its_normal_end(
    tmp_path: Path,
) -> None:
    world, printed = world_in(tmp_path), io.StringIO()
    work = asyncio.create_task(demo.keep_running(world, Console(file=printed)))
    said = await cancelled_when_said(work, printed)
    assert f"export KEY={world.tenant_key}" in said
    assert f"export SCHEDULER={world.url('scheduler')}" in said
    assert world.url("sandbox") in said


async def test_an_installation_that_is_up_ends_normally_by_ctrl_c(tmp_path: Path) -> None:
    world, printed = world_in(tmp_path), io.StringIO()
    watching = installation.watch(Processes(world), Console(file=printed))
    await cancelled_when_said(asyncio.create_task(watching), printed)


@pytest.mark.parametrize(
    ("counts", "said"),
    [({"sent": 10, "waiting": 3010}, "10 sent, 3,010 waiting"), ({}, "0 sent, 0 waiting")],
)
def test_a_day_of_the_demo_is_told_in_words(counts: dict[str, int], said: str) -> None:
    assert demo.progress_line(counts) == said


def test_all_texts_say_one_length_of_the_demo() -> None:
    root = Path(__file__).parents[2]
    for name in ("README.md", "Makefile", "services/trial/commands.py"):
        assert "about two minutes" in (root / name).read_text(), name
