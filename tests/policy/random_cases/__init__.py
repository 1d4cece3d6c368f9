"""Random rules and facts, as a case file writes them, for the property tests.

Everything happens near a few nights on which clocks change somewhere, so that durations, windows
and dates meet gaps and second passes. All instants are whole minutes: the oracle judges minutes.
"""

from tests.policy.random_cases.case import cases, seeded_case
from tests.policy.random_cases.rules import KINDS

__all__ = ["KINDS", "cases", "seeded_case"]
