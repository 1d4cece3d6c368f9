"""One process, one service: start it, stop it gracefully on a signal within ten seconds."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable

import click
import structlog
import uvloop

from services.runtime.cli_outage import WrongSetting, ask, database_reached
from services.runtime.settings import PREFIX, ServiceSettings, SettingsError

GRACE_SECONDS = 10.0
# Live objects that start a search for cycles.  A batch makes tens of thousands, none in a cycle: at
# Python's 700 the searches were a tenth of a service's CPU time.
GC_THRESHOLDS = (50_000, 20, 20)


def run(main: Callable[[], Awaitable[None]], name: str, settings: ServiceSettings) -> None:
    """Run `main` until it ends or SIGTERM/SIGINT cancels it.

    What was set up wrong ends it with exit code 2 and a sentence, a database that is away with 1
    and a sentence, a crash with 1.
    """
    gc.freeze()  # what the imports made stays
    gc.set_threshold(*GC_THRESHOLDS)
    code = uvloop.run(_supervised(lambda: _started(main, name, settings)))
    sys.stderr.flush()
    sys.exit(code)


async def _started(
    main: Callable[[], Awaitable[None]], name: str, settings: ServiceSettings
) -> None:
    """The databases are asked first, where it is known which variable named them.

    Kafka isn't: a service runs on without it, and its consumers say what they can't reach.
    """
    with database_reached(settings.database_url, f"{PREFIX}DATABASE_URL", name):
        await ask(settings.database_url, name)
    if settings.stream == "postgres" and (url := settings.stream_database_url):
        with database_reached(url, f"{PREFIX}STREAM_DATABASE_URL", "stream"):
            await ask(url, "stream")
    await main()


async def _supervised(main: Callable[[], Awaitable[None]]) -> int:
    log = structlog.get_logger()
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main())
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    waiter = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()
    done, _ = await asyncio.wait({task}, timeout=GRACE_SECONDS)
    if not done:
        log.error("stop_timed_out", seconds=GRACE_SECONDS)
        return 1
    if task.cancelled() or stopping.is_set():
        return 0
    if error := task.exception():
        leaves = _leaves(error)
        for leaf in leaves:
            if isinstance(leaf, SettingsError | click.ClickException):
                print(leaf, file=sys.stderr)
                return 2 if isinstance(leaf, SettingsError | click.UsageError | WrongSetting) else 1
        for leaf in leaves:
            log.error("service_crashed", error=type(leaf).__name__, **_place(leaf))
        return 1
    return 0


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _place(error: BaseException) -> dict[str, object]:
    """File and line where it was raised; the text of an exception may quote personal data."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return {}
    return {"file": trace.tb_frame.f_code.co_filename.rpartition("/")[2], "line": trace.tb_lineno}
