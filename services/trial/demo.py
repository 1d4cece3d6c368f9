"""The demo: a loan book in, 45 days stepped through, real messages out, the promises checked."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from services.runtime.database import Connection
from services.runtime.embedded_postgres import EmbeddedPostgres
from services.trial import book, scenario, stepping, summary
from services.trial.installation import print_variables
from services.trial.processes import Processes, running
from services.trial.world import World

# Ours, and those that govern where the book's borrowers live (services/policy/jurisdictions.yaml).
PACKS = "house us-fed us-tcpa us-ny us-nyc us-ma us-tx us-co us-ca gb au in cn br br-sp co".split()
CADENCES = Path(__file__).with_name("cadences")

# Lies the sandbox tells on the way: every one ends in a named state, none in a second message.
LIES = (("sms", "accept-timeout"), ("sms", "accept-503"), ("push", "503"))
LIES_AT_STEP = 25


@dataclass
class Demo:
    """A demo under way."""

    world: World
    processes: Processes
    owner: Connection
    session: aiohttp.ClientSession
    rows: Sequence[scenario.Row]
    actors: scenario.Actors
    stepper: stepping.Stepper


@contextlib.asynccontextmanager
async def started(folder: Path, console: Console) -> AsyncIterator[Demo]:
    """Database, processes and clock, ready to step; everything is gone at the end."""
    async with contextlib.AsyncExitStack() as stack:
        with console.status("Starting PostgreSQL, the sandbox and the three services …"):
            postgres = await stack.enter_async_context(EmbeddedPostgres(durable=False))
            world = World(
                folder=folder, admin_url=postgres.dsn, extra={"CADENCES_DIR": str(CADENCES)}
            )
            await world.prepare()
            owner = await stepping.connect(postgres.dsn, book.BEGIN)
            stack.push_async_callback(owner.close)
            database = ("--database-url", postgres.dsn, "--clock", "database")
            processes = await stack.enter_async_context(
                running(world, (*database, "--callback-delay", "0.01"))
            )
            session = await stack.enter_async_context(
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
            )
        rows = book.write(folder / "book.csv")
        yield Demo(
            world=world,
            processes=processes,
            owner=owner,
            session=session,
            rows=rows,
            actors=scenario.Actors(world, session),
            stepper=stepping.Stepper(owner, world.url("sandbox"), session),
        )


async def activate(demo: Demo) -> None:
    """Put the packs of the book's places in force, as two officers would."""
    for pack in PACKS:
        await demo.actors.put_in_force(pack)


async def import_book(demo: Demo, console: Console) -> None:
    """`dunwell import book.csv`, as a lender would type it."""
    world = demo.world
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services", "import", str(world.folder / "book.csv")),
        env=dict(os.environ)
        | {
            "DUNWELL_SCHEDULER_URL": world.url("scheduler"),
            "DUNWELL_NOTIFIER_URL": world.url("notifier"),
            "DUNWELL_API_KEY": world.tenant_key,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the import failed:\n{output.decode()[-3000:]}")
    console.print(f"Imported {len(demo.rows)} installments from {world.folder / 'book.csv'}.")


async def step_through(demo: Demo, console: Console) -> None:
    """Every due instant of the 45 days in turn, with what people do in between."""
    end = book.BEGIN + timedelta(days=book.DAYS)
    waiting = scenario.deeds(demo.rows)
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.fields[day]}"),
        BarColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
        console=console,
    )
    with progress:
        task = progress.add_task("", total=book.DAYS, day="", counts="")
        now, shown = book.BEGIN, book.BEGIN.date()
        await demo.stepper.drain()
        while True:
            due = await demo.stepper.next_due()
            if due is None or due > end:
                break
            now = max(now, due)
            if waiting and waiting[0].at <= now:
                # They act in the lull before the next reminders, at the hour that was last.
                before = await demo.stepper.now()
                while waiting and waiting[0].at <= now:
                    await demo.actors.do(waiting.pop(0), before)
                await demo.stepper.drain()
            if demo.stepper.steps == LIES_AT_STEP:
                await _script_lies(demo)
            await demo.stepper.step_to(now)
            found = await demo.owner.fetchrow(
                "SELECT count(*) FILTER (WHERE status = 'sent') AS sent,"
                " count(*) FILTER (WHERE status IN ('planned', 'due')) AS waiting"
                " FROM scheduler.reminders"
            )
            counts = progress_line(dict(found or {}))
            if not console.is_terminal and now.date() > shown:
                shown = now.date()  # a log gets a line a day instead of a bar
                console.print(f"{now:%a %d %b}  {counts}", highlight=False)
            progress.update(
                task,
                completed=(now - book.BEGIN) / timedelta(days=1),
                day=f"{now:%a %d %b %H:%M} UTC",
                counts=counts,
            )
        await demo.stepper.step_to(end)
        progress.update(task, completed=book.DAYS)


def progress_line(counts: Mapping[str, int]) -> str:
    """How far it is, in words."""
    return f"{counts.get('sent', 0):,} sent, {counts.get('waiting', 0):,} waiting"


async def _script_lies(demo: Demo) -> None:
    for channel, behavior in LIES:
        await demo.session.post(
            demo.world.url("sandbox") + "/sandbox/next",
            json={"channel": channel, "behavior": behavior, "count": 1},
        )


async def run(folder: Path, console: Console, keep: bool) -> int:
    """The whole demo; 0 if every promise held."""
    async with started(folder, console) as demo:
        await activate(demo)
        await import_book(demo, console)
        planned = await summary.planned(demo.owner)
        console.print(f"{len(planned):,} reminders are planned for them.")
        await step_through(demo, console)
        report = await summary.gather(demo.owner, demo.world, demo.rows, demo.actors.done, planned)
        summary.show(report, console, steps=demo.stepper.steps)
        if keep:
            await keep_running(demo.world, console)
        else:
            inbox = demo.world.url("sandbox") + "/"
            console.print(
                f"\nThe messages, as on a phone, were at {inbox}:"
                " run `make demo ARGS=--keep` to look at them."
            )
        return 0 if report.kept else 1


async def keep_running(world: World, console: Console) -> None:
    """Show the doors and a key; Ctrl-C is the normal end."""
    console.print()
    print_variables(world, console)
    inbox = world.url("sandbox") + "/"
    console.print(f"The messages, as on a phone: [link={inbox}]{inbox}[/link]")
    console.print("Everything keeps running; press Ctrl-C to end it.")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
