"""Profiles of the property tests: a few dozen examples as a rule, `HYPOTHESIS_PROFILE=long` for
100,000.
"""

import os

from hypothesis import HealthCheck, settings

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile("short", max_examples=80, deadline=None, suppress_health_check=QUIET)
settings.register_profile("long", max_examples=100_000, deadline=None, suppress_health_check=QUIET)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))
