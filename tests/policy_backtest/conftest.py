"""The policy service's world, with a past to look back on; property tests as in tests/policy."""

import tests.policy.conftest  # noqa: F401  (the profiles of the property tests)
from tests.policy_service.conftest import world

__all__ = ["world"]
