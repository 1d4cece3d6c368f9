"""Named places where a fault test kills this process; nothing happens unless a test asks for it.

`DUNWELL_CRASH_AT="consume.before_commit:3"` kills the process, without any clean-up, at the third
visit of that place.  It is refused unless DUNWELL_TESTING=1.
"""

import os
import signal
import sys


def _armed() -> tuple[str, int]:
    wish = os.environ.get("DUNWELL_CRASH_AT", "")
    if not wish:
        return "", 0
    if os.environ.get("DUNWELL_TESTING") != "1":
        sys.exit("DUNWELL_CRASH_AT kills this process on purpose: it needs DUNWELL_TESTING=1.")
    point, _, visit = wish.partition(":")
    if not point or not (visit or "1").isdigit():
        sys.exit(f"DUNWELL_CRASH_AT={wish!r}: write POINT:N, such as consume.polled:3.")
    return point, int(visit or "1")


_POINT, _VISIT = _armed()
_visits = 0


def reach(point: str) -> None:
    """Die here if this is the visit that the test named."""
    global _visits
    if point != _POINT:
        return
    _visits += 1
    if _visits == _VISIT:
        os.kill(os.getpid(), signal.SIGKILL)
