"""One process, one service: start it, stop it gracefully on a signal within ten seconds."""

import asyncio
import gc
import signal
import sys
from collections.abc import Awaitable, Callable

import structlog
import uvloop

GRACE_SECONDS = 10.0
# Live objects that start a search for cycles.  A batch makes tens of thousands, none in a cycle: at
# Python's 700 the searches were a tenth of a service's CPU time.
GC_THRESHOLDS = (50_000, 20, 20)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` until it ends or SIGTERM/SIGINT cancels it.  A crash ends with exit code 1."""
    gc.freeze()  # what the imports made stays
    gc.set_threshold(*GC_THRESHOLDS)
    code = uvloop.run(_supervised(main))
    sys.stderr.flush()
    sys.exit(code)


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
        for leaf in _leaves(error):
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
