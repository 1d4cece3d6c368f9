"""`dunwell demo` and `dunwell up`: the whole system on this machine."""

import asyncio
import contextlib
import shutil
import signal
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from services.trial import demo as the_demo
from services.trial import folders, installation
from services.trial.processes import ProcessFailed


async def _until_signal(work: Coroutine[Any, Any, int]) -> int:
    """Run it; SIGTERM ends it as Ctrl-C does, and everything it started is stopped first."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 130


def _run(work: Coroutine[Any, Any, int]) -> None:
    try:
        code = asyncio.run(_until_signal(work))
    except ProcessFailed as error:
        raise click.ClickException(str(error)) from None
    raise SystemExit(code)


@click.command()
@click.option("--keep", is_flag=True, help="Leave everything running at the end, until Ctrl-C.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="A new folder for logs, the book and the sandbox's record.  [default: a temporary one]",
)
def demo(keep: bool, folder: Path | None) -> None:
    """Bring in a loan book and step through 45 days of it in about two minutes.

    Starts PostgreSQL (from its Python package), the stream on it, the three services and the
    sandbox, which answers as Twilio, FCM and a mail server do.  Ends with what was sent, deferred
    and suppressed and why, and checks the promises against the sandbox's own record: exit code 0
    only if not one was broken.  Needs no broker, no Docker and nothing installed.
    """
    console = Console()
    made = folder or Path(tempfile.mkdtemp(prefix="dunwell-demo-"))
    try:
        with folders.held(made):
            folders.refuse_an_earlier_run(made)
            _run(the_demo.run(made, console, keep))
    finally:
        if folder is None:
            shutil.rmtree(made, ignore_errors=True)


@click.command()
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".dunwell"),
    show_default=True,
    help="Where logs and the sandbox's record go; the database is thrown away at the end.",
)
def up(folder: Path) -> None:
    """Run everything on Apache Kafka and PostgreSQL, each service a process, until Ctrl-C.

    KAFKA_BOOTSTRAP_SERVERS names a cluster of yours; without it a broker is started from its jars
    (Java 17, `make kafka-jars`).  Prints the doors and an API key to try them with.
    """
    with contextlib.suppress(KeyboardInterrupt), folders.held(folder):
        _run(installation.run(folder.absolute(), Console()))
