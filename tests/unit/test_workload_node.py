"""What the Node workloads share, and what their locks may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

WORKLOADS = Path(__file__).parents[2] / "workloads"
NODE = sorted(
    folder.parent.name
    for folder in WORKLOADS.glob("*/Dockerfile")
    if "install --no-install-recommends nodejs" in folder.read_text()
)
LOCKED = [name for name in NODE if (WORKLOADS / name / "package-lock.json").exists()]


def first_stage(name: str) -> list[str]:
    """The instructions up to the second FROM, without comments."""
    lines = [
        line
        for line in (WORKLOADS / name / "Dockerfile").read_text().splitlines()
        if not line.startswith("#")
    ]
    ends = [at for at, line in enumerate(lines) if line.startswith("FROM ")]
    return [line for line in lines[: ends[1]] if line]


@pytest.mark.parametrize("name", NODE)
def test_node_workloads_share_their_first_layers(name: str) -> None:
    assert first_stage(name) == first_stage("tts-proxy")
    assert (WORKLOADS / name / "probe").read_bytes() == (WORKLOADS / "api-gateway" / "probe").read_bytes()


@pytest.mark.parametrize("name", LOCKED)
def test_locks_hold_hashes_and_name_no_registry(name: str) -> None:
    text = (WORKLOADS / name / "package-lock.json").read_text()
    packages = {path: entry for path, entry in json.loads(text)["packages"].items() if path}
    assert packages
    assert [path for path, entry in packages.items() if "resolved" in entry] == []
    assert [
        path for path, entry in packages.items() if not entry.get("integrity", "").startswith("sha512-")
    ] == []


@pytest.mark.parametrize("name", LOCKED)
def test_locks_fit_what_is_wanted(name: str) -> None:
    wanted = json.loads((WORKLOADS / name / "package.json").read_text())
    locked = json.loads((WORKLOADS / name / "package-lock.json").read_text())["packages"][""]
    for kind in ("dependencies", "devDependencies"):
        assert locked.get(kind, {}) == wanted.get(kind, {})
