"""What the Python workloads share, and the bases that they may stand on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from stacks.image_settings import OnAnyBase

WORKLOADS = Path(__file__).parents[2] / "workloads"
PYTHON = sorted(
    folder.parent.name
    for folder in WORKLOADS.glob("*/Dockerfile")
    if "install --no-install-recommends python3.11 " in folder.read_text()
)
UBUNTU = """deb http://archive.ubuntu.com/ubuntu/ jammy main universe
deb http://security.ubuntu.com/ubuntu/ jammy-security main universe
deb [arch=arm64] http://ports.ubuntu.com/ubuntu-ports/ jammy main
"""
DEBIAN = """Types: deb
URIs: https://deb.debian.org/debian
Suites: bookworm bookworm-updates
URIs: http://deb.debian.org/debian-security
"""


def dockerfile(name: str) -> str:
    return (WORKLOADS / name / "Dockerfile").read_text()


@pytest.mark.parametrize("name", get_args(OnAnyBase))
def test_what_may_stand_on_another_base_wants_the_same_everywhere(name: str) -> None:
    """Ubuntu's 3.11.0rc1 is no version before 3.12 to the pip that comes with it."""
    assert name in PYTHON
    locked = (WORKLOADS / name / "requirements.lock").read_text()
    assert locked and not re.findall(r"; .*python_(?:full_)?version.*", locked)


@pytest.mark.parametrize("name", PYTHON)
def test_python_workloads_share_their_first_layers(name: str) -> None:
    stage, _, _ = dockerfile(name).partition("\n\nFROM runtime")
    assert dockerfile("taifish").startswith(f"{stage}\n\nFROM runtime")
    assert (WORKLOADS / name / "probe").read_bytes() == (WORKLOADS / "taifish" / "probe").read_bytes()


@pytest.mark.parametrize("name", PYTHON)
def test_python_is_named_as_debian_12_and_ubuntu_22_04_both_have_it(name: str) -> None:
    """Their `python3` is 3.11 on the one and 3.10 on the other."""
    used = re.findall(r"python3[\w.]*(?:-venv)?", dockerfile(name))
    assert {"python3.11"} <= {*used} <= {"python3.11", "python3.11-venv"}


@pytest.mark.parametrize("mirror", ["http://mirror.example/debian", "http://mirror.example"])
def test_a_mirror_stands_for_debian_and_for_ubuntu(tmp_path: Path, mirror: str) -> None:
    """The shell of the Dockerfile itself, on the lists of both."""
    (script,) = re.findall(r"RUN (if .*?fi) \\\n", dockerfile("taifish"), re.DOTALL)
    (tmp_path / "sources.list").write_text(UBUNTU)
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list.d" / "debian.sources").write_text(DEBIAN)
    script = script.replace("/etc/apt", str(tmp_path))
    subprocess.run(["sh", "-ec", script], env={"PATH": "/usr/bin:/bin", "APT_MIRROR": mirror}, check=True)
    assert (tmp_path / "sources.list").read_text().splitlines() == [
        "deb http://mirror.example/ubuntu/ jammy main universe",
        "deb http://mirror.example/ubuntu/ jammy-security main universe",
        "deb [arch=arm64] http://mirror.example/ubuntu-ports/ jammy main",
    ]
    assert re.findall("URIs: .*", (tmp_path / "sources.list.d" / "debian.sources").read_text()) == [
        "URIs: http://mirror.example/debian",
        "URIs: http://mirror.example/debian-security",
    ]
