"""How long the property tests search: a few dozen examples, for what fails to be made small.

Thousands of cases more are asked in test_decide_at_length.py, which says how to ask 100,000.
"""

from hypothesis import HealthCheck, settings

QUIET = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)

settings.register_profile("short", max_examples=40, deadline=None, suppress_health_check=QUIET)
settings.load_profile("short")
