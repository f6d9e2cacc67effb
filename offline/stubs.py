"""The engine's gRPC stubs, taken from the installed `pulumi` package without importing the package.

`import pulumi` costs about a second and 60 MB, which a plugin that only speaks gRPC never uses. The generated
modules live below `pulumi/runtime/proto`, so the two parent packages are registered as bare namespaces first.
Only a plugin process may import this module: in a process that runs a Pulumi program it would hide the SDK.
"""

import importlib.util
import sys
from types import ModuleType


def _register_bare_parents() -> None:
    if "pulumi" in sys.modules:
        return
    spec = importlib.util.find_spec("pulumi")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("the 'pulumi' package is not installed in this environment; run ./berth setup")
    root = spec.submodule_search_locations[0]
    for name, path in (("pulumi", root), ("pulumi.runtime", f"{root}/runtime")):
        bare = ModuleType(name)
        bare.__path__ = [path]
        sys.modules[name] = bare


_register_bare_parents()

from pulumi.runtime.proto import (  # noqa: E402
    analyzer_pb2,
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

__all__ = [
    "analyzer_pb2",
    "engine_pb2",
    "engine_pb2_grpc",
    "language_pb2",
    "language_pb2_grpc",
    "plugin_pb2",
    "provider_pb2",
    "provider_pb2_grpc",
    "status_pb2",
]
