"""Shared by all tests."""

import sys
from pathlib import Path

# One test process runs Pulumi programs and plugins alike. The plugins' stubs (offline/stubs.py) take the SDK
# as it is when it is imported already, and would hide it from programs if they came first.
import pulumi  # noqa: F401
import pytest

# No engine, no Docker, but processes that start, servers, or the SDK for whole components.
SLOW = frozenset(
    """
    policy/test_process policy/test_secrets
    unit/test_care_embedded unit/test_care_health unit/test_care_logs unit/test_cloud_machine
    unit/test_edge unit/test_gateway_checks unit/test_leave unit/test_ops_alerts unit/test_ops_launcher
    unit/test_ops_preflight unit/test_ops_progress unit/test_ops_sealed unit/test_ops_settings
    unit/test_plugin_server unit/test_plugin_values
    unit/test_settings_systems unit/test_store_components unit/test_toolchain unit/test_workload_gateway
    unit/test_workload_gateway_door unit/test_workload_processor unit/test_workload_taifish
    unit/test_workload_taifish_parts
    """.split()  # noqa: SIM905  (a list to read)
)


# Every worker rewrites the assertions of all test files; written down, the first one alone does. Container
# images forbid it in their environment, for other reasons.
sys.dont_write_bytecode = False


def _is_slow(path: Path) -> bool:
    return "/".join(path.with_suffix("").parts[-2:]) in SLOW


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A file that the marks leave out need not be imported: that takes longer than the tests of many."""
    wanted = {"slow": True, "not slow": False}.get(config.option.markexpr)
    if wanted is None or collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    return True if _is_slow(collection_path) != wanted else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the slow files: `-m "not slow"` is the part for every save."""
    for item in items:
        if _is_slow(Path(item.path)):
            item.add_marker("slow")
