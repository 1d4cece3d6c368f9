"""`dunwell up`: Apache Kafka, PostgreSQL and the services as in earnest, on one machine."""

import asyncio
import contextlib
import os
from pathlib import Path

from rich.console import Console
from rich.table import Table

from services.runtime.embedded_postgres import EmbeddedPostgres
from services.trial.processes import ORDER, Processes, ProcessFailed, running
from services.trial.world import World

_LOOK_SECONDS = 1.0


async def _broker(stack: contextlib.AsyncExitStack) -> str:
    """Bootstrap servers: the operator's cluster, or one started here from the locked jars."""
    if servers := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return servers
    try:
        from deploy.kafka.broker import KafkaBroker
    except ImportError:
        raise ProcessFailed(
            "set KAFKA_BOOTSTRAP_SERVERS: a broker can be started only from the project's folder"
        ) from None
    broker = await stack.enter_async_context(KafkaBroker(short_lived=False))
    return f"127.0.0.1:{broker.port}"


async def run(folder: Path, console: Console) -> int:
    """Start everything, show the doors, and watch; 0 after Ctrl-C, which is the normal end."""
    async with contextlib.AsyncExitStack() as stack:
        with console.status("Starting Apache Kafka, PostgreSQL, the sandbox and the services …"):
            servers = await _broker(stack)
            postgres = await stack.enter_async_context(EmbeddedPostgres())
            world = World(
                folder=folder,
                admin_url=postgres.dsn,
                stream="kafka",
                kafka_bootstrap_servers=servers,
            )
            await world.prepare()
            options = ("--database-url", postgres.dsn, "--clock", "database")
            processes = await stack.enter_async_context(running(world, options))
        console.print(_doors(world, servers))
        print_variables(world, console)
        await watch(processes, console)
    return 0


async def watch(processes: Processes, console: Console) -> None:
    """Return after Ctrl-C; raises ProcessFailed if a process ends by itself."""
    console.print("Press Ctrl-C to end it.")
    try:
        while not (ended := processes.ended()):
            await asyncio.sleep(_LOOK_SECONDS)
    except asyncio.CancelledError:
        return
    name = next(iter(ended))
    raise ProcessFailed(f"{name} ended:\n{processes.last_words(name)}")


def print_variables(world: World, console: Console) -> None:
    """What the README's snippets are typed with, and where the tables are."""
    # Whole lines, to be copied: a table would cut them to the terminal's width.
    for line in (
        *(f"export {name.upper()}={world.url(name)}" for name in ORDER),
        f"export KEY={world.tenant_key}  # of tenant {world.tenant}",
        f"PostgreSQL: {world.admin_url}",
    ):
        console.print(line, soft_wrap=True, highlight=False, markup=False)


def _doors(world: World, servers: str) -> Table:
    table = Table("door", "address", title="Dunwell is up")
    for name in (*ORDER, "sandbox"):
        table.add_row(name, world.url(name))
    for name in ORDER:
        table.add_row(f"{name}, admin", world.admin_door(name) + "/readyz")
    table.add_row("Apache Kafka", servers)
    table.add_row("logs", str(world.folder))
    return table
