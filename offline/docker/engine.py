"""The Docker engine that a provider's config points at.

Nothing is asked of it before a resource needs it, so a preview of a new stack runs where no engine is; the
official provider pings it even then. `disableDockerDaemonCheck` therefore changes nothing here.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from offline.provider.resource import ResourceError

if TYPE_CHECKING:
    from docker import APIClient

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_SOCKET: Final = Path("/var/run/docker.sock")
_SCHEMES: Final = ("unix://", "tcp://", "http://", "https://", "ssh://", "npipe://")
_SHARED_SECONDS: Final = 2.0
_POOL: Final = 64  # connections kept for resources that work side by side
_ENVIRONMENT: Final = {
    "host": "DOCKER_HOST",
    "context": "DOCKER_CONTEXT",
    "certPath": "DOCKER_CERT_PATH",
    "caMaterial": "DOCKER_CA_MATERIAL",
    "certMaterial": "DOCKER_CERT_MATERIAL",
    "keyMaterial": "DOCKER_KEY_MATERIAL",
}


class Engine:
    """A Docker engine, connected on first use and shared by all threads.

    config: the provider's config as the schema has it: host, context, sshOpts, certPath, caMaterial,
    certMaterial, keyMaterial, registryAuth. What is absent comes from the environment, as the official
    provider takes it. timeout: seconds that the engine may be silent; None: for ever.
    """

    def __init__(self, config: Mapping[str, Any], *, timeout: float | None = None) -> None:
        self.config = config
        self._timeout = timeout
        self._lock = threading.Lock()
        self._api: APIClient | None = None
        self._failure: tuple[float, ResourceError] | None = None

    @property
    def host(self) -> str:
        """The engine's address. Raises ResourceError when the config names a context that does not exist."""
        context = self._setting("context")
        host = _context_host(context) if context else self._setting("host") or _found_host()
        if not host.startswith(_SCHEMES):
            raise ResourceError(
                f"docker host '{host}' has no scheme that is known",
                fix=f"start docker:host (or DOCKER_HOST) with one of {', '.join(_SCHEMES)}",
            )
        return host

    @property
    def api(self) -> APIClient:
        """The engine's API. Raises ResourceError when it cannot be reached; a later use tries again."""
        with self._lock:
            if self._api is not None:
                return self._api
            # those that waited for this attempt share its failure; a far host may take half a minute to fail
            if self._failure is not None and time.monotonic() - self._failure[0] < _SHARED_SECONDS:
                raise self._failure[1]
            try:
                self._api = self._connect()
            except ResourceError as error:
                self._failure = time.monotonic(), error
                raise
            return self._api

    def close(self) -> None:
        """Let go of every connection."""
        with self._lock:
            if self._api is not None:
                self._api.close()
                self._api = None

    def _setting(self, name: str) -> str:
        return str(self.config.get(name) or os.environ.get(_ENVIRONMENT[name]) or "")

    def _connect(self) -> APIClient:
        # the SDK takes a quarter of a second to import, which previews of new stacks never spend
        from docker.errors import DockerException, TLSParameterError

        from offline.docker import transport

        host = self.host
        try:
            if host.startswith("ssh://"):
                return transport.over_ssh(host, self._ssh_options(), timeout=self._timeout)
            tls = None if host.startswith(("unix://", "npipe://", "http://")) else self._tls()
            return transport.direct(host, tls, _POOL, timeout=self._timeout)
        except TLSParameterError as error:
            raise ResourceError(
                f"the TLS files for {host} cannot be used: {error}",
                fix="check docker:certPath (ca.pem, cert.pem, key.pem) or the three *Material settings",
            ) from error
        except (DockerException, OSError) as error:
            raise ResourceError(
                f"no Docker engine answers at {host}: {root_cause(error)}",
                fix="start the engine, or point docker:host, DOCKER_HOST or DOCKER_CONTEXT at one that runs",
            ) from error

    def _ssh_options(self) -> list[str]:
        return list(self.config.get("sshOpts") or os.environ.get("DOCKER_SSH_OPTS", "").split())

    def _tls(self) -> Any:
        from offline.docker import transport

        material = {name: self._setting(name) for name in ("caMaterial", "certMaterial", "keyMaterial")}
        path = self._setting("certPath")
        if material["certMaterial"] or material["keyMaterial"]:
            if not (material["certMaterial"] and material["keyMaterial"]):
                raise ResourceError(
                    "certMaterial and keyMaterial belong together, and only one is set",
                    fix="set both, or neither",
                )
            if self.config.get("certPath"):
                raise ResourceError(
                    "certPath and certMaterial exclude each other", fix="remove one of the two"
                )
            return transport.tls_from_material(*material.values())
        if path:
            return transport.tls_from_path(Path(path))
        if os.environ.get("DOCKER_TLS_VERIFY"):
            return transport.tls_from_path(Path.home() / ".docker")
        return None


def root_cause(error: BaseException) -> str:
    """The innermost message: the layers of an HTTP client say little more than that they failed, too."""
    while (
        inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    ) is not None:
        error = inner
    return str(error).strip() or type(error).__name__


def _docker_home() -> Path:
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _found_host() -> str:
    """The default socket; only where there is none, the context that the docker command would use."""
    if _SOCKET.exists():
        return DEFAULT_HOST
    try:
        current = json.loads((_docker_home() / "config.json").read_text("utf-8")).get("currentContext")
    except (OSError, ValueError):
        current = None
    return _context_host(current) if current else DEFAULT_HOST


def _context_host(name: str) -> str:
    if name == "default":
        return os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    known = []
    for file in sorted((_docker_home() / "contexts" / "meta").glob("*/meta.json")):
        try:
            meta = json.loads(file.read_text("utf-8"))
            known.append(meta["Name"])
            if meta["Name"] == name:
                return str(meta["Endpoints"]["docker"]["Host"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a broken context hides no other
    raise ResourceError(
        f"there is no docker context '{name}' in {_docker_home()}; there are: {', '.join(known) or 'none'}",
        fix="see `docker context ls`, then set docker:context or DOCKER_CONTEXT to one of them",
    )
