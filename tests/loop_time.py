"""Deadlines that pass when a test says so: nobody waits, and a slow machine changes nothing."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def standing_at(moment: float) -> Iterator[None]:
    """The running loop's clock shows `moment` (seconds, in its own time) while the block runs.

    What is due then is due, and what is due later is not, however long it takes. Afterwards the
    clock goes on from there; it never goes back.
    """
    loop = asyncio.get_running_loop()
    real = loop.time
    loop.time = lambda: moment  # type: ignore[method-assign]
    try:
        yield
    finally:
        ahead = max(0.0, moment - real())
        loop.time = lambda: real() + ahead  # type: ignore[method-assign]
