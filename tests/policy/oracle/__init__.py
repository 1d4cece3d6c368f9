"""A second evaluator, slow and plain, written from rules.md alone: it shares no code with the
engine.

It reads rules and facts as a case file writes them (maps and text) and judges one instant at a time
by comparing local dates and clocks; whoever looks for an `until` asks about minute after minute.
"""

from tests.policy.oracle.case import Case
from tests.policy.oracle.clock import instant, local, local_date
from tests.policy.oracle.judge import blocked, objects

__all__ = ["Case", "blocked", "instant", "local", "local_date", "objects"]
