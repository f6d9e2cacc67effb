"""Shared by the unit tests."""

from hypothesis import HealthCheck, settings

# How long an example takes says more about the machine than about the code.
# 40 of each: the unit tests are for every save, and the whole of them takes seconds.
settings.register_profile(
    "berth", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("berth")
