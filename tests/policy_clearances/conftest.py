"""The policy tests' world, with the questions that a dialer or a field team would ask."""

from tests.policy_service.conftest import world

__all__ = ["world"]
