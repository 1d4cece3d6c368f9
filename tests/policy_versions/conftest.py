"""The policy service's fixtures, and a tenant's own pack in three versions."""

from tests.policy_service.conftest import world

__all__ = ["world"]
