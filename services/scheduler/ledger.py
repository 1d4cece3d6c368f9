"""The balance of P2: emitted = sent + suppressed + failed + cancelled + open.  Pure."""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from services.events.words import Outcome

OPEN = frozenset({"planned", "due"})  # planned again after a deferral


class Tally(NamedTuple):
    """So many reminders of one status and reason."""

    status: str
    reason: str | None
    emitted: bool
    number: int


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant's reminders.  `planned` and `withdrawn` were never emitted and don't count."""

    emitted: int  # by the history of emissions; the rest by the reminders' own states
    sent: int
    suppressed: dict[str, int]  # by reason
    failed: int
    cancelled: int
    open: int
    balanced: bool
    planned: int  # their hour hasn't come
    withdrawn: dict[str, int]  # ended before their hour, by reason: paid, rescheduled, stale_step


def balance(counts: Iterable[Tally], emitted: int) -> Ledger:
    """The ledger; `emitted` is counted apart, so that `balanced` can be false."""
    rows = list(counts)
    ours = [row for row in rows if row.emitted]
    sent, failed, cancelled = (
        sum(row.number for row in ours if row.status == outcome)
        for outcome in (Outcome.SENT, Outcome.FAILED, Outcome.CANCELLED)
    )
    suppressed = _by_reason(row for row in ours if row.status == Outcome.SUPPRESSED)
    still_open = sum(row.number for row in ours if row.status in OPEN)
    ended = sent + failed + cancelled + sum(suppressed.values())
    return Ledger(
        emitted=emitted,
        sent=sent,
        suppressed=suppressed,
        failed=failed,
        cancelled=cancelled,
        open=still_open,
        balanced=emitted == ended + still_open,
        planned=sum(row.number for row in rows if not row.emitted and row.status in OPEN),
        withdrawn=_by_reason(r for r in rows if not r.emitted and r.status not in OPEN),
    )


def _by_reason(rows: Iterable[Tally]) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows:
        found[row.reason or ""] = found.get(row.reason or "", 0) + row.number
    return dict(sorted(found.items()))
