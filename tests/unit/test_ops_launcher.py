"""./berth and ops/bootstrap.py in a copy of the project, with a uv that records its calls."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
case $1 in
venv)
    for last; do :; done
    mkdir -p "$last/bin"
    printf '#!/bin/sh\\necho "program $*"\\n' >"$last/bin/python"
    chmod +x "$last/bin/python" ;;
pip) sleep "${UV_DELAY:-0}"; exit "${UV_EXIT:-0}" ;;
esac
"""
OLD = "#!/bin/sh\necho '3.9 0'\n"


class Project:
    """A copy of the launcher in a folder whose name has a space, with its own PATH."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a project"
        (self.root / "ops").mkdir(parents=True)
        shutil.copy(ROOT / "berth", self.root)
        shutil.copy(ROOT / "ops" / "bootstrap.py", self.root / "ops")
        (self.root / "requirements.lock").write_text("one==1\n")
        (self.root / "requirements-cloud.lock").write_text("one==1\nhalf==1\n")
        (self.root / "requirements-dev.lock").write_text("one==1\nhalf==1\ntwo==2\n")
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.calls = folder / "calls"
        self.calls.touch()
        self.script("uv", UV)
        self.environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "CALLS": str(self.calls),
            "HOME": str(self.root),
            # Known already, so that pip is not asked each time, which takes half a second.
            "UV_DEFAULT_INDEX": "http://127.0.0.1:1/",
            "UV_EXTRA_INDEX_URL": "http://127.0.0.1:1/",
        }

    def script(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(
        self,
        *args: str,
        cwd: Path | None = None,
        program: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program or self.root / "berth", *args],
            cwd=cwd or self.root,
            env={**self.environment, **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def syncs(self) -> list[str]:
        return [line for line in self.calls.read_text().splitlines() if line.startswith("uv pip sync")]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_first_run_makes_the_environment_then_runs_the_program(project: Project) -> None:
    done = project.run("up", "-s", "two words")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "program -m ops up -s two words\n"
    assert "Setting up .venv from requirements.lock: done in" in done.stderr
    assert "--require-hashes" in project.syncs()[0]


def test_second_run_touches_nothing(project: Project) -> None:
    project.run("status")
    done = project.run("status")
    assert (done.stderr, len(project.syncs())) == ("", 1)


def test_changed_lock_is_installed_again(project: Project) -> None:
    project.run("status")
    (project.root / "requirements.lock").write_text("one==2\n")
    assert project.run("status").returncode == 0
    assert len(project.syncs()) == 2


def test_test_tools_come_from_the_dev_lock_and_stay(project: Project) -> None:
    project.run("test")
    assert project.syncs()[0].endswith("requirements-dev.lock")
    project.run("up")
    assert len(project.syncs()) == 1


def test_what_the_cloud_needs_comes_with_its_verb_and_stays(project: Project) -> None:
    project.run("up")
    project.run("cloud", "status")
    project.run("up")
    project.run("cloud", "start")
    locks = ["requirements.lock", "requirements-cloud.lock"]
    assert [one.rpartition("/")[2] for one in project.syncs()] == locks
    (project.root / "requirements.lock").write_text("one==2\n")
    project.run("up")
    assert project.syncs()[-1].endswith("requirements-cloud.lock")
    project.run("test")
    project.run("cloud", "status")
    assert [one.rpartition("/")[2] for one in project.syncs()[3:]] == ["requirements-dev.lock"]


def test_refresh_keeps_the_test_tools(project: Project) -> None:
    project.run("test")
    (project.root / "requirements.lock").write_text("one==2\n")
    (project.root / "requirements-dev.lock").write_text("one==2\ntwo==2\n")
    project.run("up")
    assert project.syncs()[-1].endswith("requirements-dev.lock")


def test_interrupted_setup_is_made_anew(project: Project) -> None:
    failed = project.run("up", env={"UV_EXIT": "7"})
    assert failed.returncode == 1
    assert "`uv` failed with exit code 7" in failed.stderr and "fix:" in failed.stderr
    assert failed.stdout == ""
    # Of `health` 1 and 2 would be answers.
    assert project.run("-s", "prod", "health", "--json", env={"UV_EXIT": "7"}).returncode == 3
    assert project.run("logs", "health", env={"UV_EXIT": "7"}).returncode == 1
    assert project.run("-s", "health", "logs", env={"UV_EXIT": "7"}).returncode == 1
    done = project.run("up")
    assert done.stdout.startswith("program")
    assert project.calls.read_text().count("uv venv") == 5


def test_failed_refresh_leaves_nothing_that_passes_for_finished(project: Project) -> None:
    project.run("up")
    (project.root / "requirements.lock").write_text("one==2\n")
    assert project.run("up", env={"UV_EXIT": "1"}).returncode == 1
    (project.root / "requirements.lock").write_text("one==1\n")
    project.run("up")
    assert len(project.syncs()) == 3


def test_broken_environment_is_made_anew(project: Project) -> None:
    project.run("up")
    (project.root / ".venv" / "bin" / "python").unlink()
    assert project.run("up").stdout.startswith("program")


def test_moved_project_gets_a_new_environment(project: Project, tmp_path: Path) -> None:
    project.run("up")
    project.root = project.root.rename(tmp_path / "moved")
    assert project.run("up").stdout.startswith("program")
    assert project.calls.read_text().count("uv venv") == 2


def test_runs_from_another_folder_and_through_links(project: Project, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("a project/berth")
    (tmp_path / "elsewhere").mkdir()
    done = project.run("up", cwd=tmp_path / "elsewhere", program=tmp_path / "link")
    assert done.stdout == "program -m ops up\n"


def test_two_launchers_at_once_set_up_once(project: Project) -> None:
    results: list[subprocess.CompletedProcess[str]] = []
    threads = [
        threading.Thread(target=lambda: results.append(project.run("up", env={"UV_DELAY": "1"})))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.returncode for result in results] == [0, 0], results
    assert len(project.syncs()) == 1
    assert any("another ./berth is setting up .venv" in result.stderr for result in results)


def test_too_old_python_is_named(project: Project) -> None:
    for name in ("python3", "python3.14", "python3.13", "python3.12", "python3.11", "python", "dirname"):
        project.script(name, OLD)
    project.script("dirname", '#!/bin/sh\nexec /usr/bin/dirname "$@"\n')
    # A PATH without any other Python, and the launcher's last resort out of reach as well.
    text = (project.root / "berth").read_text().replace(" /usr/bin/python3; do", "; do")
    (project.root / "berth").write_text(text)
    done = project.run("up")
    assert done.returncode == 1
    assert "needs Python 3.11 or newer; found: python3 is 3.9" in done.stderr
    assert "apt-get install" in done.stderr


def test_lock_that_is_missing_is_an_error_without_traceback(project: Project) -> None:
    (project.root / "requirements.lock").unlink()
    done = project.run("up")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and "requirements.lock" in done.stderr


def test_environment_is_not_made_by_the_python_inside_it(project: Project) -> None:
    """In an activated .venv, `python3` is the .venv's own: it would remove itself and then fail."""
    assert project.run("status").returncode == 0
    inside = project.root / ".venv" / "bin"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", project.root / ".venv"], check=True)
    (project.root / "requirements.lock").write_text("one==2\n")
    (project.root / ".venv" / ".berth" / "root").write_text("moved\n")
    done = project.run("status", env={"PATH": f"{inside}:{project.environment['PATH']}"})
    assert done.returncode == 0, done.stderr
    (made,) = [call for call in project.calls.read_text().splitlines() if call.startswith("uv venv")][1:]
    assert f"--python {inside}" not in made


def test_ctrl_c_in_the_setup_is_no_answer_of_health(project: Project) -> None:
    project.script("uv", "#!/bin/sh\nkill -INT $PPID\nsleep 1\n")
    stopped = project.run("health", "--json")
    assert (stopped.returncode, stopped.stdout) == (130, ""), stopped.stderr
    assert "starts the set-up again" in stopped.stderr
