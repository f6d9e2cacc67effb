"""The language host under the real engine: what a user of `pulumi` sees."""

import contextlib
import hashlib
import json
import os
import signal
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.engine.project import COMPONENT, Project

pytestmark = pytest.mark.engine


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def make_wheel(folder: Path) -> Path:
    """A package `thing` 1.0 that needs no network to install."""
    wheel = folder / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("thing.py", "answer = 42\n")
        archive.writestr("thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
        archive.writestr(
            "thing-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr("thing-1.0.dist-info/RECORD", "thing.py,,\nthing-1.0.dist-info/METADATA,,\n")
    return wheel


def test_the_life_of_a_stack(project: Project) -> None:
    project.program(COMPONENT + '    pulumi.export("answer", {"is": [42, None, True]})\n')
    preview = project.preview()
    assert "test:index:Thing thing create" in preview.text
    assert "warning" not in preview.text.lower()
    up = project.up()
    assert "warning" not in up.text.lower()
    assert project.outputs() == {"answer": {"is": [42, None, True]}}
    project.unchanged()
    project.refresh()
    project.program("")
    assert "test:index:Thing thing delete" in project.preview().text
    project.destroy()
    assert project.resources() == []


def test_output_of_the_program_is_shown_as_it_is(project: Project) -> None:
    project.program("""
        import sys
        print("to stdout, ünicode")
        print("to stderr", file=sys.stderr)
        sys.stdout.write("no newline at the end")
    """)
    lines = [line.strip() for line in project.up().text.split("Diagnostics:")[1].splitlines()]
    for text in ("to stdout, ünicode", "to stderr", "no newline at the end"):
        assert lines.count(text) == 1


@pytest.mark.parametrize(
    ("program", "shown", "hidden"),
    [
        (
            "def main():\n    raise ValueError('boom')\n\nmain()\n",
            ["ValueError: boom", "Traceback", "line 4", "in main"],
            ["runner.py", "runpy", "run_in_stack"],
        ),
        (
            "import pulumi\npulumi.Output.from_input(1).apply(lambda _: 1 / 0)\n",
            ["ZeroDivisionError"],
            ["runner.py"],
        ),
        ("def broken(:\n", ["SyntaxError", "__main__.py", "line 1"], ["runner.py", "runpy"]),
        ("import missing_module\n", ["No module named 'missing_module'", "line 1"], ["runner.py"]),
        (
            "import pulumi\nraise pulumi.RunError('plain words')\n",
            ["plain words"],
            ["Traceback", "exit code"],
        ),
        ("import sys\nsys.exit(3)\n", ["program exited with non-zero exit code: 3"], ["Traceback"]),
        ("import sys\nsys.exit('why it stops')\n", ["why it stops", "exit code: 1"], ["Traceback"]),
        ("import os, signal\nos.kill(os.getpid(), 9)\n", ["ended by signal 9"], ["Traceback"]),
    ],
)
def test_a_failing_program_says_why_once(
    project: Project, program: str, shown: list[str], hidden: list[str]
) -> None:
    project.program(program)
    failed = project.preview(check=False)
    assert failed.code != 0
    diagnostics = failed.text.split("Diagnostics:")[1]
    for text in shown:
        assert diagnostics.count(text) == 1, diagnostics
    for text in hidden:
        assert text not in diagnostics, diagnostics
    assert project.resources() == []


def test_a_folder_without_a_program_is_named(project: Project) -> None:
    (project.folder / "__main__.py").unlink()
    failed = project.preview(check=False)
    assert failed.code != 0
    assert f"{project.folder} has no __main__.py" in failed.text


def test_configuration_and_secrets(project: Project) -> None:
    project.config("plain", "one")
    project.config("object", json.dumps({"list": [1, 2]}))
    project.config("token", "s3cr3t-value", secret=True)
    project.program("""
        import pulumi
        config = pulumi.Config()
        assert config.require("plain") == "one"
        assert config.require_object("object") == {"list": [1, 2]}
        assert pulumi.get_project() == "tried" and pulumi.get_stack() == "dev"
        pulumi.export("token", config.require_secret("token"))
        # Read as if it were plain: the engine knows the value and keeps it secret all the same.
        pulumi.export("length", len(config.require("token")))
    """)
    up = project.up()
    assert "s3cr3t-value" not in up.text
    assert project.outputs()["token"] == "[secret]"
    assert project.outputs(show_secrets=True) == {"token": "s3cr3t-value", "length": 12}
    assert "s3cr3t-value" not in project.state_text()


def test_configuration_larger_than_an_environment_variable(project: Project) -> None:
    stack = {"config": {"tried:large": "x" * 300_000}, "encryptionsalt": ""}
    file = project.folder / "Pulumi.dev.yaml"
    salt = next(line for line in file.read_text().splitlines() if line.startswith("encryptionsalt"))
    stack["encryptionsalt"] = salt.split(": ", 1)[1]
    file.write_text(json.dumps(stack))
    project.program("""
        import os, subprocess, pulumi
        pulumi.export("length", len(pulumi.Config().require("large")))
        pulumi.export("child", subprocess.check_output(["echo", "runs"], text=True).strip())
    """)
    project.up()
    assert project.outputs() == {"length": 300_000, "child": "runs"}


def test_modules_beside_the_program_can_be_imported_late(project: Project) -> None:
    (project.folder / "types.py").write_text("")  # a file like this must not reach the host itself
    (project.folder / "docker").mkdir()
    (project.folder / "later.py").write_text("value = 'imported in an apply'\n")
    project.program("""
        import pulumi
        def late(_):
            import later
            return later.value
        pulumi.export("value", pulumi.Output.from_input(1).apply(late))
    """)
    (project.folder / "types.py").unlink()
    project.up()
    assert project.outputs() == {"value": "imported in an apply"}


@pytest.mark.parametrize("command", ["preview", "up"])
def test_ctrl_c_leaves_no_process(project: Project, command: str) -> None:
    pids = project.folder / "pids"
    project.program(f"""
        import os, subprocess, time
        child = subprocess.Popen(["sleep", "300"])
        with open({str(pids)!r}, "w") as file:
            file.write(f"{{os.getpid()}} {{child.pid}} {{os.getppid()}}")
        time.sleep(300)
    """)
    extra = ["--yes", "--skip-preview"] if command == "up" else []
    running = project.start(command, *extra)
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 3)
    started = time.monotonic()
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=200)
    assert running.returncode != 0
    assert time.monotonic() - started < 100, "of the 300 that it would take"
    assert "Traceback" not in output
    wait_for(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()), 10)
    project.program(COMPONENT)
    project.up()  # no lock, no pending operation


def test_a_killed_engine_takes_host_and_program_with_it(project: Project) -> None:
    pids = project.folder / "pids"
    project.program(f"""
        import os, time
        with open({str(pids)!r}, "w") as file:
            file.write(f"{{os.getpid()}} {{os.getppid()}}")
        time.sleep(300)
    """)
    running = project.start("preview")
    wait_for(lambda: pids.exists() and len(pids.read_text().split()) == 2)
    running.kill()
    wait_for(lambda: not any(alive(int(pid)) for pid in pids.read_text().split()), 60)
    running.communicate()


def test_a_child_that_the_program_forgets_does_not_hold_the_engine(project: Project) -> None:
    project.program("""
        import subprocess
        subprocess.Popen(["sleep", "300"])
    """)
    started = time.monotonic()
    project.preview()
    assert time.monotonic() - started < 200, "of the 300 that the child takes"


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"toolchain": "poetry"}, "'poetry'"),
        ({"toolchain": "conda"}, "'conda'"),
        ({"typechecker": "mypy"}, "runtime.options.typechecker"),
        ({"virtualenv": "nowhere"}, "does not exist; run `pulumi install`"),
    ],
)
def test_options_that_are_not_served_are_named(project: Project, options: dict[str, str], named: str) -> None:
    project.settings(**options)
    failed = project.preview(check=False)
    assert failed.code != 0
    assert named in failed.text


def test_pip_with_a_virtualenv_and_without(project: Project) -> None:
    project.program("import sys, pulumi; pulumi.export('python', sys.prefix)")
    project.settings(toolchain="pip")
    project.up()
    assert project.outputs() == {"python": sys.prefix}
    (project.folder / "Pulumi.yaml").write_text(json.dumps({"name": project.name, "runtime": "python"}))
    project.env["PULUMI_PYTHON_CMD"] = sys.executable
    project.up()
    assert project.outputs() == {"python": sys.prefix}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements.txt"])
def test_install_makes_the_environment_from_the_pinned_set(project: Project, lock: str) -> None:
    project.settings(virtualenv=".venv")
    wheel = make_wheel(project.folder)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (project.folder / lock).write_text(f"thing @ {wheel.as_uri()} --hash=sha256:{digest}\n")
    installed = project.run("install")
    assert "thing==1.0" in installed.text or "thing-1.0" in installed.text
    assert list((project.folder / ".venv").glob("lib/python3*/site-packages/thing.py"))
    project.run("install")  # again changes nothing
    assert not (project.folder / "uv.lock").exists()


def test_a_failed_install_shows_why(project: Project) -> None:
    project.settings(virtualenv=".venv")
    wheel = make_wheel(project.folder)
    (project.folder / "requirements.lock").write_text(f"thing @ {wheel.as_uri()} --hash=sha256:{'0' * 64}\n")
    failed = project.run("install", check=False)
    assert failed.code != 0
    assert "hash" in failed.text.lower()


def test_about_names_python_and_its_packages(project: Project) -> None:
    about = json.loads(project.run("about", "--json").stdout)
    assert about["runtime"]["language"] == "python"
    assert about["runtime"]["executable"] == str(Path(sys.prefix, "bin/python"))
    assert {"name": "pulumi-docker", "version": "5.1.0"} in about["dependencies"]


def test_no_plugin_is_downloaded(project: Project) -> None:
    project.program("""
        import pulumi
        class Thing(pulumi.CustomResource):
            def __init__(self):
                super().__init__("absent:index:Thing", "thing", {})
        Thing()
    """)
    started = time.monotonic()
    failed = project.preview(check=False)
    assert failed.code != 0
    assert "absent" in failed.text
    assert time.monotonic() - started < 120


@pytest.fixture
def network() -> Iterator[str]:
    """A Docker network that Pulumi does not know, by name."""
    name = f"language-host-test-{os.getpid()}"
    client = docker.from_env()
    made = client.networks.create(name, driver="bridge")
    yield name
    with contextlib.suppress(docker.errors.NotFound):
        made.remove()
    client.close()


@pytest.mark.docker
def test_import_of_a_network(project: Project, network: str) -> None:
    client = docker.from_env()
    identity = client.networks.get(network).id
    client.close()
    made = project.run(
        "import", "docker:index/network:Network", "taken", identity, "--yes", "--protect=false"
    )
    assert "warning" not in made.text.lower()
    assert identity in [resource.get("id") for resource in project.resources()]
    code = project.run(
        *("import", "docker:index/network:Network", "again", identity, "--yes", "--protect=false"),
        "--generate-code=true",
        check=False,
    )
    assert code.code != 0
    assert "GenerateProgram" in code.text
    assert "--generate-code=false" in code.text


def test_nothing_of_ours_is_left_running(project: Project) -> None:
    project.program(COMPONENT)
    project.up()
    mine = f"PULUMI_BACKEND_URL={project.state.as_uri()}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        if entry.parent.name == str(os.getpid()):
            continue
        try:
            assert mine not in entry.read_bytes(), (entry.parent / "cmdline").read_bytes()
        except (PermissionError, FileNotFoundError, ProcessLookupError):
            continue
