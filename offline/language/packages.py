"""The packages of a Python environment, and the Pulumi plugins that they need."""

import base64
import json
import re
import subprocess
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.version import InvalidVersion, Version

from offline.language.options import LanguageError, Options
from offline.stubs import plugin_pb2

# Pulumi packages that have no plugin, and that do not say so themselves in every version.
_WITHOUT_PLUGIN = {"pulumi-policy", "pulumi-esc-sdk"}


@dataclass(frozen=True)
class Package:
    """An installed distribution, its name normalised. `folder` is its module's, when it has one."""

    name: str
    version: str
    folder: Path
    requires: tuple[str, ...] = ()


def installed(options: Options, *, requirements: bool = False) -> list[Package]:
    """Every package of the environment, by name. Their requirements on demand only: reading costs time."""
    found: dict[str, Package] = {}
    for site in _site_packages(options):
        for info in sorted(site.glob("*.dist-info")):
            raw, _, version = info.name.removesuffix(".dist-info").partition("-")
            requires: tuple[str, ...] = ()
            if requirements:
                requires = tuple(metadata.PathDistribution(info).requires or ())
            name = re.sub(r"[-_.]+", "-", raw).lower()
            found.setdefault(name, Package(name, version, site / name.replace("-", "_"), requires))
    return sorted(found.values(), key=lambda package: package.name)


def top_level(packages: list[Package]) -> list[Package]:
    """The packages that no other installed package requires."""
    from packaging.requirements import Requirement  # slow to import, and no preview needs it

    required = set()
    for package in packages:
        for line in package.requires:
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                required.add(re.sub(r"[-_.]+", "-", requirement.name).lower())
    return [package for package in packages if package.name not in required]


def required_plugins(packages: list[Package]) -> list[plugin_pb2.PackageDependency]:
    """The plugins that the Pulumi packages among `packages` stand for."""
    plugins = (_plugin(package) for package in packages if package.name not in _WITHOUT_PLUGIN)
    return [plugin for plugin in plugins if plugin is not None]


def _plugin(package: Package) -> plugin_pb2.PackageDependency | None:
    file = package.folder / "pulumi-plugin.json"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not package.name.startswith("pulumi-"):
            return None
        described = {"resource": True}
    except ValueError as error:
        raise LanguageError(f"{file} is not JSON ({error}); reinstall {package.name}") from error
    if not described.get("resource"):
        return None
    version = described.get("version") or plugin_version(package.version)
    if version is None:
        return None
    dependency = plugin_pb2.PackageDependency(
        name=described.get("name") or package.name.removeprefix("pulumi-"),
        version=version if version.startswith("v") else f"v{version}",
        kind="resource",
        server=described.get("server") or "",
    )
    for key, target in (
        ("parameterization", dependency.parameterization),
        ("extensionParameterization", dependency.extension),
    ):
        if value := described.get(key):
            target.CopyFrom(
                plugin_pb2.PackageParameterization(
                    name=value["name"], version=value["version"], value=_bytes(value.get("value"))
                )
            )
    return dependency


def plugin_version(package_version: str) -> str | None:
    """A PEP 440 version as the semantic version of its plugin; None where there is no such translation."""
    try:
        version = Version(package_version)
    except InvalidVersion:
        return None
    if version.epoch or version.local:
        return None
    release = ".".join(str(part) for part in (*version.release, 0, 0)[: max(3, len(version.release))])
    pre = ""
    if version.pre:
        pre = f"-{ {'a': 'alpha', 'b': 'beta', 'rc': 'rc'}[version.pre[0]] }.{version.pre[1]}"
    build = f"post{version.post}" if version.post is not None else ""
    build += f"dev{version.dev}" if version.dev is not None else ""
    return f"{release}{pre}{'+' if build else ''}{build}"


def _bytes(value: str | None) -> bytes:
    """Parameterisation values are base64 in JSON."""
    return base64.b64decode(value) if value else b""


def _site_packages(options: Options) -> list[Path]:
    python = options.python()
    if options.virtualenv is not None:
        # Without starting Python: this is on the way of every preview.
        return sorted(options.virtualenv.glob("lib*/python3.*/site-packages"))
    script = "import json, sys; print(json.dumps(sys.path))"
    run = subprocess.run([python, "-P", "-c", script], capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise LanguageError(f"{python} does not run: {run.stderr.strip()}")
    return [Path(entry) for entry in json.loads(run.stdout) if entry and Path(entry).is_dir()]
