"""Pulumi.yaml and the stack files beside it, as far as ops must know them before the engine runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ops.errors import UserError
from ops.places import ROOT


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads one YAML mapping; anything else is an error that says where."""
    import yaml

    from ops.strict_yaml import load

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path.name} cannot be read: {error}",
            fix=f"restore it (git checkout {path.name}) or correct its mode",
        ) from None
    try:
        content = load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "not YAML"
        raise UserError(
            f"{path.name}{where}: {problem}",
            fix=f"correct that line, or restore the file (git checkout {path.name})",
        ) from None
    except Exception as error:  # what int, date and the stack say of a value
        raise UserError(
            f"{path.name} holds a value that YAML has not: {error or type(error).__name__}",
            fix=f"correct it, or restore the file (git checkout {path.name})",
        ) from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(
            f"{path.name} holds a {type(content).__name__}, not `key: value` lines",
            fix=f"restore it (git checkout {path.name})",
        )
    return content


@dataclass(frozen=True, kw_only=True)
class WantedHost:
    """`berth:host`: kind `local`, `ssh` or `ecs`; address and cert_path where the file gives them."""

    kind: str = "local"
    address: str | None = None
    cert_path: str | None = None
    ssh_opts: tuple[str, ...] = ()


@dataclass(frozen=True)
class StackFile:
    """Pulumi.<name>.yaml. tag: what `berth:images.tag` is taken for, whatever the file says."""

    name: str
    root: Path = ROOT
    tag: str | None = None

    @property
    def path(self) -> Path:
        return self.root / f"Pulumi.{self.name}.yaml"

    @cached_property
    def content(self) -> dict[str, Any]:
        if not self.path.exists():
            known = stack_names(self.root)
            raise UserError(
                f"there is no stack {self.name!r}: {self.path.name} does not exist (known: "
                f"{', '.join(known) or 'none'})",
                fix=f"choose one with -s, or copy Pulumi.dev.yaml to {self.path.name} and edit it",
            )
        return read_yaml(self.path)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The `berth:` settings without the namespace."""
        config = self.content.get("config") or {}
        if not isinstance(config, dict):
            raise UserError(
                f"{self.path.name}: `config` must be a mapping of settings",
                fix="indent the settings below `config:`",
            )
        found = {
            key.removeprefix("berth:"): value
            for key, value in config.items()
            if str(key).startswith("berth:")
        }
        if self.tag is not None and isinstance(images := found.get("images", {}), dict):
            found["images"] = {**images, "tag": self.tag}
        return found

    @property
    def host(self) -> WantedHost:
        """Where the stack runs. What is wrong with it is reported by the settings, with everything else."""
        host = self.config.get("host")
        if not isinstance(host, dict):
            return WantedHost()
        options = host.get("ssh_opts")
        return WantedHost(
            kind=str(host.get("kind") or "local"),
            address=str(host["address"]) if host.get("address") else None,
            cert_path=str(host["cert_path"]) if host.get("cert_path") else None,
            ssh_opts=tuple(map(str, options)) if isinstance(options, list) else (),
        )

    @property
    def secrets_provider(self) -> str:
        return str(self.content.get("secretsprovider") or "passphrase")

    @property
    def encrypted(self) -> bool:
        """Whether some passphrase already protects secrets in this file."""
        return bool(self.content.get("encryptionsalt"))


def stack_names(root: Path = ROOT) -> list[str]:
    """The stacks that have a file."""
    return sorted(
        path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml")
    )


def project(root: Path = ROOT) -> dict[str, Any]:
    """Pulumi.yaml."""
    return read_yaml(root / "Pulumi.yaml")
