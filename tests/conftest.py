"""Shared by all tests."""

# One test process runs Pulumi programs and plugins alike. The plugins' stubs (offline/stubs.py) take the SDK
# as it is when it is imported already, and would hide it from programs if they came first.
import pulumi  # noqa: F401
