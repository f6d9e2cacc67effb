"""What the language host reads from an environment without starting its Python."""

import json
import sys
from pathlib import Path

import pulumi  # noqa: F401  # before the host's stubs, which stand in for the SDK where it is not imported
import pytest

from offline.language.options import LanguageError, Options
from offline.language.packages import installed, plugin_version, required_plugins, top_level


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment that looks real from outside."""
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    (tmp_path / ".venv/lib/python3.11/site-packages").mkdir(parents=True)
    return tmp_path


def add(environment: Path, name: str, version: str, plugin: object = None, requires: str = "") -> None:
    site = environment / ".venv/lib/python3.11/site-packages"
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    needed = "".join(f"Requires-Dist: {line}\n" for line in requires.split(";;") if line)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needed}")
    if plugin is not None:
        (site / name).mkdir()
        (site / name / "pulumi-plugin.json").write_text(json.dumps(plugin))


def options(environment: Path) -> Options:
    return Options.parse(str(environment), {"toolchain": "uv", "virtualenv": ".venv"})


@pytest.mark.parametrize(
    ("package", "plugin"),
    [
        ("1.0", "1.0.0"),
        ("5.1.0", "5.1.0"),
        ("1.2.3.4", "1.2.3.4"),
        ("1.2.3a4", "1.2.3-alpha.4"),
        ("1.2.3b4", "1.2.3-beta.4"),
        ("1.2.3rc4", "1.2.3-rc.4"),
        ("1.2.3.post4", "1.2.3+post4"),
        ("1.2.3.post4.dev5", "1.2.3+post4dev5"),
        ("1.2.3.dev5", "1.2.3+dev5"),
        ("1!2.0", None),
        ("1.0+local", None),
        ("not a version", None),
    ],
)
def test_a_package_version_names_its_plugins_version(package: str, plugin: str | None) -> None:
    assert plugin_version(package) == plugin


def test_required_plugins(environment: Path) -> None:
    add(environment, "pulumi_docker", "5.1.0", {"resource": True, "name": "docker", "version": "5.1.0"})
    add(environment, "pulumi_policy", "1.21.0", {"resource": False})
    add(environment, "pulumi_old", "2.0.0")  # from before there was a pulumi-plugin.json
    add(environment, "my_company", "1.0", {"resource": True, "name": "own", "server": "https://example.org"})
    add(environment, "requests", "2.0")
    parameters = {"name": "p", "version": "1.0.0", "value": "aGVsbG8="}
    add(environment, "generated", "1.0", {"resource": True, "name": "base", "parameterization": parameters})
    found = {plugin.name: plugin for plugin in required_plugins(installed(options(environment)))}
    assert {name: plugin.version for name, plugin in found.items()} == {
        "docker": "v5.1.0",
        "old": "v2.0.0",
        "own": "v1.0.0",
        "base": "v1.0.0",
    }
    assert found["own"].server == "https://example.org"
    assert found["base"].parameterization.value == b"hello"


def test_a_damaged_description_is_named(environment: Path) -> None:
    add(environment, "pulumi_docker", "5.1.0", {})
    file = environment / ".venv/lib/python3.11/site-packages/pulumi_docker/pulumi-plugin.json"
    file.write_text("{")
    with pytest.raises(LanguageError, match=r"pulumi-plugin\.json is not JSON .* reinstall pulumi-docker"):
        required_plugins(installed(options(environment)))


def test_top_level_packages(environment: Path) -> None:
    add(environment, "app", "1.0", requires='Base_Lib>=1;;other; extra == "more"')
    add(environment, "base_lib", "1.0")
    add(environment, "other", "1.0")
    packages = installed(options(environment), requirements=True)
    assert [package.name for package in top_level(packages)] == ["app", "other"]


def test_the_running_environment_is_read_right() -> None:
    here = Options.parse("/", {"virtualenv": sys.prefix})
    versions = {package.name: package.version for package in installed(here)}
    assert versions["pulumi-docker"] == "5.1.0"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"toolchain": "uv", "virtualenv": "envs/a"}, "envs/a"),
        ({"toolchain": "uv"}, ".venv"),
        ({"virtualenv": "/abs"}, "/abs"),
        ({}, None),
    ],
)
def test_where_the_environment_is(tmp_path: Path, given: dict[str, str], expected: str | None) -> None:
    (tmp_path / "pyproject.toml").touch()
    found = Options.parse(str(tmp_path), given).virtualenv
    assert found == (tmp_path / expected if expected else None)


def test_uv_puts_it_beside_the_nearest_project(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").touch()
    (tmp_path / "infra").mkdir()
    assert Options.parse(str(tmp_path / "infra"), {"toolchain": "uv"}).virtualenv == tmp_path / ".venv"


def test_plugins_never_run_in_an_ambient_python(tmp_path: Path) -> None:
    assert Options.parse(str(tmp_path), {}, plugin=True).virtualenv == tmp_path / "venv"
