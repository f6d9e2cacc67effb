"""docs/new-system.md, without an engine: what its reader writes is right, and known to the whole project."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.copied import copy_project
from tests.guide import blocks, write

PAGE = Path(__file__).parents[2] / "docs/new-system.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project, with what the page adds to it."""
    folder = tmp_path_factory.mktemp("new-system") / "berth"
    copy_project(folder)
    for block in blocks(PAGE.read_text()):
        if block.language != "sh":
            write(block, folder)
        elif "workloads" in block.text:
            subprocess.run(["sh", "-euc", block.text], cwd=folder, check=True)
    return folder


def run(folder: Path, *command: str) -> str:
    """Python in the copy; what it printed."""
    done = subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_system_is_one_short_file() -> None:
    (system,) = [block for block in blocks(PAGE.read_text()) if block.file == "stacks/notes.py"]
    assert system.text.count("\n") <= 100


def test_the_test_on_the_page_passes(folder: Path) -> None:
    run(folder, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "tests/unit/test_notes.py")


def test_what_is_written_has_the_style_of_the_house(folder: Path) -> None:
    files = ["stacks/notes.py", "stacks/systems.py", "workloads/notes/notes.py", "tests/unit/test_notes.py"]
    run(folder, "-m", "ruff", "check", "--no-cache", *files)
    run(folder, "-m", "ruff", "format", "--no-cache", "--check", *files)


def test_the_system_is_loaded_by_no_stack_but_its_own(folder: Path) -> None:
    code = """
import json, sys
from stacks.settings import json_schema, missing_secrets
stack = {"berth:systems": '["gateway"]'}
assert [it.name for it in missing_secrets(stack)] == ["aliyun_access_key"]
assert "stacks.notes" not in sys.modules
stack = {"berth:systems": '["notes"]'}
print([it.name for it in missing_secrets(stack)])
assert "pulumi" not in sys.modules
assert "berth:notes" in json.dumps(json_schema())
"""
    assert run(folder, "-c", code) == "['notes_redis_password', 'notes_certificate']\n"


def test_a_wrong_setting_is_told_as_the_page_says(folder: Path) -> None:
    code = """
from stacks.problems import SettingsError
from stacks.settings import load
try:
    load({"berth:systems": '["notes"]', "berth:notes": '{"app": {"replicas": 0}}'}, stack="notes")
except SettingsError as error:
    print(next(line for line in map(str, error.problems) if "replicas" in line))
"""
    assert run(folder, "-c", code).strip() in PAGE.read_text()
