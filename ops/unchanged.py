"""Whether an `up` would end as the last one did. Then the engine need not be asked all over again.

What an `up` comes to is decided by the project's files, the environment, the tools, the files that the
program read elsewhere, and the state. All of these are compared, and what the engine runs is looked at
besides. What depends on the day, such as a certificate that runs out, is asked for again after one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops import places, recorded
from stacks.reads import MADE, VARIABLE

if TYPE_CHECKING:
    from ops.stack import Stack

AGE = 86400.0  # seconds
_LARGE = 1 << 20  # bytes from which on a file is not read
_MOST = 100_000  # entries of a project that are looked at
_ABOUT_THE_SHELL = frozenset(
    """
    _ SHLVL PWD OLDPWD TERM COLORTERM COLUMNS LINES WINDOWID PS1 LS_COLORS INVOCATION_ID JOURNAL_STREAM
    """.split()  # noqa: SIM905  (a list to read)
) | {VARIABLE}
_ABOUT_THE_SESSION = (
    "SSH_",
    "XDG_SESSION_",
    "TERM_",
    "TMUX",
    "VSCODE_",
    "KITTY_",
    "WT_",
    "WEZTERM_",
    "ITERM_",
)
_STACK_REFERENCE = "pulumi:pulumi:StackReference"


@dataclass(frozen=True, kw_only=True)
class Record:
    """An `up` that succeeded. inputs, state: digests. reads: those of files elsewhere. time: Unix time."""

    inputs: str
    state: str
    reads: Mapping[str, str]
    time: float


def since(stack: Stack, inputs: str, exported: Mapping[str, Any]) -> float | None:
    """When the last `up` with these inputs ended, if this state is what it left; None where one is due."""
    try:
        record = Record(**json.loads(_file(stack).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    same = (
        record.inputs == inputs
        and record.state == _state(exported)
        and 0 <= time.time() - record.time < AGE
        and all(_content(Path(path)) == known for path, known in record.reads.items())
    )
    return record.time if same else None


@contextmanager
def followed(stack: Stack) -> Iterator[tuple[Stack, Path]]:
    """The stack with a program that says what it reads, and where it says so."""
    path = _file(stack).with_suffix(".reads")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.unlink(missing_ok=True)
    environment = {**stack.pulumi.environment, VARIABLE: str(path)}
    try:
        yield replace(stack, pulumi=replace(stack.pulumi, environment=environment)), path
    finally:
        path.unlink(missing_ok=True)


def remember(stack: Stack, inputs: str, exported: Mapping[str, Any], *, reads: Path, began: float) -> None:
    """Writes down an `up` that succeeded; without a record, the next one simply runs.

    began: its Unix time; of what was written since, nobody knows what was read.
    """
    with suppress(OSError):
        _file(stack).unlink(missing_ok=True)
        paths = [Path(line) for line in _lines(reads)]
        project = [entry.path for entry in islice(_entries(places.ROOT), _MOST + 1)]
        if len(project) > _MOST or _refers(exported):
            return
        if any(_changed(path) >= began for path in (*paths, *project)):
            return
        known = {str(path): _content(path) for path in paths}
        record = Record(inputs=inputs, state=_state(exported), reads=known, time=time.time())
        part = _file(stack).with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(asdict(record)), encoding="utf-8")
        part.replace(_file(stack))


def inputs(stack: Stack) -> str:
    """The digest of the project's files, the environment and the tools; always another for a vast project."""
    found = hashlib.sha256()
    for part in (
        *_tree(places.ROOT),
        *_tools(stack),
        *_environment({**os.environ, **stack.pulumi.environment}),
    ):
        found.update(part.encode(errors="surrogateescape") + b"\0")
    return found.hexdigest()


@dataclass(frozen=True)
class _Entry:
    """Something below the project. linked: a link out of it leads there."""

    path: Path
    linked: bool


def _entries(root: Path, *, linked: bool = False, known: set[Path] | None = None) -> Iterator[_Entry]:
    """All that is below a folder, each folder once. What goes away meanwhile is not there."""
    known = set() if known is None else known
    known.add(root.resolve())
    with suppress(OSError):
        for path in sorted(root.iterdir()):
            if path.name in MADE:
                continue
            yield _Entry(path, linked)
            if not os.path.isdir(path):  # noqa: PTH112  (Path.is_dir() raises where nobody may look)
                continue
            target = path.resolve()
            if target not in known and target not in places.ROOT.parents:
                yield from _entries(path, linked=linked or path.is_symlink(), known=known)


def _tree(root: Path) -> Iterator[str]:
    for number, entry in enumerate(_entries(root)):
        if number > _MOST:
            yield secrets.token_hex()
            return
        try:
            info = entry.path.lstat()
            about = os.readlink(entry.path) if stat.S_ISLNK(info.st_mode) else ""  # noqa: PTH115
        except OSError as error:
            yield f"{entry.path} {type(error).__name__}"
            continue
        if not os.path.isdir(entry.path):  # noqa: PTH112
            about += _stamp(entry.path) if entry.linked else _content(entry.path)
        yield f"{entry.path} {info.st_mode:o} {about}"


def _tools(stack: Stack) -> Iterator[str]:
    program = Path(stack.pulumi.program).resolve()
    yield f"{program} {_stamp(program)}"
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    for folder in (home / "plugins", *(Path(entry) for entry in sys.path if entry.endswith("-packages"))):
        yield f"{folder} {_listed(folder)}"
    if stack.engine is not None:
        yield stack.engine.host


def _environment(variables: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(variables.items()):
        if name not in _ABOUT_THE_SHELL and not name.startswith(_ABOUT_THE_SESSION):
            yield f"{name}={value}"


def _content(path: Path) -> str:
    """A digest of a file, the names in a folder; of what is not there, the reason. Links are followed."""
    try:
        info = path.stat()
        if stat.S_ISDIR(info.st_mode):
            return _listed(path)
        if not stat.S_ISREG(info.st_mode):
            return "neither a file nor a folder"
        if info.st_size > _LARGE:
            return _stamp(path)
        return f"{info.st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        return type(error).__name__


def _listed(folder: Path) -> str:
    try:
        return " ".join(sorted(entry.name for entry in folder.iterdir()))
    except OSError as error:
        return type(error).__name__


def _stamp(path: Path) -> str:
    """What every way to write into a file changes, and some ways to leave it as it is."""
    try:
        info = path.stat()
    except OSError as error:
        return type(error).__name__
    return f"{info.st_mode:o} {info.st_size} {info.st_mtime_ns} {info.st_ctime_ns}"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_ctime
    except OSError:
        return 0.0


def _lines(path: Path) -> list[str]:
    """What the program said. Raises FileNotFoundError where none did."""
    return sorted({*path.read_text(encoding="utf-8", errors="surrogateescape").splitlines()})


def _state(exported: Mapping[str, Any]) -> str:
    """Of what is recorded, not of when or how.

    A run that changes nothing may turn orders around, and encrypts secrets anew. One that changes the secret
    of a resource that a plugin makes says when it did, in `modified`; that of a component says nothing.
    """
    deployment = dict(exported.get("deployment") or {})
    deployment.pop("manifest", None)
    resources = [_settled(resource) for resource in deployment.get("resources") or []]
    deployment["resources"] = sorted(json.dumps(resource, sort_keys=True) for resource in resources)
    return hashlib.sha256(json.dumps(deployment, sort_keys=True).encode()).hexdigest()


def _settled(resource: dict[str, Any]) -> dict[str, Any]:
    """What only a change of the resource changes."""
    found = dict(
        _without_ciphertexts(resource) if resource.get("custom") and "modified" in resource else resource
    )
    if named := found.get("dependencies"):
        found["dependencies"] = sorted(named)
    if by_property := found.get("propertyDependencies"):
        found["propertyDependencies"] = {key: sorted(urns or ()) for key, urns in by_property.items()}
    return found


def _without_ciphertexts(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_ciphertexts(it)
            for key, it in value.items()
            if not (key == "ciphertext" and recorded.SIGNATURE in value)
        }
    return [_without_ciphertexts(it) for it in value] if isinstance(value, list) else value


def _refers(exported: Mapping[str, Any]) -> bool:
    """Whether another stack is asked for what it exports: that may change without a sign here."""
    return any(resource.get("type") == _STACK_REFERENCE for resource in recorded.resources(exported))


def _file(stack: Stack) -> Path:
    return places.data() / "unchanged" / f"{stack.key}.json"
