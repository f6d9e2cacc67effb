"""Logins for registries: the provider's `registryAuth`, then Docker's own config and helpers."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker.auth
from docker.errors import DockerException

from offline.docker import image_name
from offline.provider.resource import ResourceError

Credential = dict[str, str]  # username, password, serveraddress or identitytoken: what the engine's API takes

_HUB_HOSTS = {"docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
# The official provider sends these to a registry that wants no login but answers an anonymous client badly.
_DISABLED: Credential = {"username": "username", "password": "password"}


class Registries:
    """The credentials of one provider configuration."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        declared = config.get("registryAuth") or []
        entries = json.loads(declared) if isinstance(declared, str) else declared
        self._declared = {host(entry["address"]): entry for entry in entries}

    def for_image(self, name: str) -> Credential:
        """The credential for the registry that `name` lies in; empty when there is none."""
        return self.for_server(image_name.parse(name).domain)

    def for_server(self, server: str) -> Credential:
        """The credential for a registry's host name or URL; empty when there is none."""
        server = host(server)
        if server in self._declared:
            return _declared_credential(server, self._declared[server])
        return _lookup(_load(None), server)

    def for_build(self) -> dict[str, Credential]:
        """Every credential known, by address: a Dockerfile may name images of any registry."""
        try:
            stored = _load(None).get_all_credentials()  # type: ignore[no-untyped-call]
        except DockerException as problem:
            raise _store_failed(problem) from None
        known = {address: _normalize(address, found) for address, found in stored.items() if found}
        for server, entry in self._declared.items():
            known[address(server)] = _declared_credential(server, entry)
        return known


def host(server: str) -> str:
    """A registry's host and port; Docker Hub under each of its names becomes `docker.io`."""
    name = docker.auth.convert_to_hostname(server)
    return image_name.HUB if name in _HUB_HOSTS else name


def address(server: str) -> str:
    """How the engine and credential stores call a registry."""
    name = host(server)
    return image_name.HUB_ADDRESS if name == image_name.HUB else name


def login(server: str, username: str, password: str) -> Credential:
    """A credential that the program itself gives."""
    return {"username": username, "password": password, "serveraddress": address(server)}


def header(credential: Mapping[str, Any]) -> str:
    """The value of `X-Registry-Auth` and `X-Registry-Config`."""
    return docker.auth.encode_header(dict(credential)).decode()


def _declared_credential(server: str, entry: Mapping[str, Any]) -> Credential:
    if entry.get("authDisabled"):
        return {**_DISABLED, "serveraddress": address(server)}
    username = entry.get("username") or os.environ.get("DOCKER_REGISTRY_USER", "")
    if username:
        return login(server, username, entry.get("password") or os.environ.get("DOCKER_REGISTRY_PASS", ""))
    if content := entry.get("configFileContent"):
        return _required(_load_content(content), server, "configFileContent")
    if path := entry.get("configFile"):
        return _required(_load(str(Path(path).expanduser())), server, path)
    return _lookup(_load(None), server)


def _load(path: str | None) -> docker.auth.AuthConfig:
    if path is not None and not Path(path).is_file():
        raise ResourceError(
            f"registryAuth: {path} does not exist", fix="correct configFile, or run docker login"
        )
    try:
        return docker.auth.load_config(config_path=path)
    except (DockerException, OSError, ValueError) as problem:
        raise ResourceError(
            f"Docker's credentials in {path or 'config.json'} cannot be read: {problem}",
            fix="run docker login again",
        ) from None


def _load_content(content: str) -> docker.auth.AuthConfig:
    try:
        return docker.auth.load_config(config_dict=json.loads(content))
    except (DockerException, ValueError):
        # The text itself holds passwords: it stays out of the message.
        raise ResourceError(
            "registryAuth: configFileContent is not the content of a Docker config.json",
            fix='give it as {"auths": {"registry.example.com": {"auth": "..."}}}',
        ) from None


def _lookup(config: docker.auth.AuthConfig, server: str) -> Credential:
    try:
        found = config.resolve_authconfig(server)
    except DockerException as problem:
        raise _store_failed(problem) from None
    return _normalize(server, found) if found else {}


def _required(config: docker.auth.AuthConfig, server: str, source: str) -> Credential:
    found = _lookup(config, server)
    if not found:
        raise ResourceError(
            f"registryAuth: {source} has no credentials for {server}",
            fix=f"run docker login {server}, or set username",
        )
    return found


def _normalize(server: str, found: Mapping[str, str | None]) -> Credential:
    """Credential helpers answer in other letter cases than config.json."""
    return {"serveraddress": address(server), **{key.lower(): value for key, value in found.items() if value}}


def _store_failed(problem: Exception) -> ResourceError:
    return ResourceError(
        f"Docker's credential helper failed: {problem}",
        fix="install the helper that config.json names as credsStore or credHelpers, or log in without one",
    )
