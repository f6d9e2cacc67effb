"""What an exception says to the user."""

from __future__ import annotations

import traceback

from offline.docker.engine import root_cause
from offline.provider.resource import ResourceError
from offline.provider.values import AssetRefused


def explain(error: BaseException) -> str:
    """One line of cause, and the next step where there is one; a defect of the plugin shows where it
    happened.
    """
    if isinstance(error, ResourceError | AssetRefused):
        return str(error)
    if _is_from(error, "docker.errors", "APIError"):
        return str(getattr(error, "explanation", None) or error)
    if _is_from(error, "docker.errors", "DockerException"):
        return str(error)
    if isinstance(error, OSError) or type(error).__module__.startswith(("requests", "urllib3")):
        return str(
            ResourceError(
                f"the Docker engine stopped answering: {root_cause(error)}",
                fix="see whether it still runs, then repeat the command: it goes on where it stopped",
            )
        )
    where = "".join(traceback.format_exception(error))
    return f"{type(error).__name__}: {error}; this is a defect of the docker plugin\n{where}"


def _is_from(error: BaseException, module: str, name: str) -> bool:
    """isinstance without the import: an error of the docker SDK exists only where the SDK was imported."""
    return any(cls.__module__ == module and cls.__name__ == name for cls in type(error).__mro__)
