"""Shared by the unit tests."""

from hypothesis import settings

# How long an example takes says more about the machine than about the code.
settings.register_profile("berth", deadline=None)
settings.load_profile("berth")
