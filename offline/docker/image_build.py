"""Run a build on the engine's classic builder and say what went wrong when it fails."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offline.docker.image_context import BuildContext
from offline.docker.image_stream import EngineError, Message, explain, is_disk_full, post
from offline.docker.registry import Credential, header
from offline.provider.resource import Context, ResourceError

TAIL_LINES = 15
LOG_SECONDS = 10.0  # between signs of life: output is for failures, and cached steps take no time
STEP_LENGTH = 120  # characters of an instruction in messages; the line in the Dockerfile leads to the rest
SHORT_VALUE = (
    8  # a shorter build argument (a version, a flag) is no secret, and hiding it would garble the output
)

_STEP = re.compile(r"Step (\d+)/\d+ : (.*)", re.DOTALL)
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)", re.IGNORECASE)
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")  # the classic builder paints errors red
_CHATTER = re.compile(r"--->|Removing intermediate container")
_LINE_END = re.compile(r"[\r\n]+")
_EXIT = re.compile(r"The command '.*' (returned a non-zero code: \d+)", re.DOTALL)
_WHY = re.compile(r"\b(error|e:|fatal|failed|cannot|can't|unable|denied|not found|no such)", re.IGNORECASE)
_SECRET_NAME = re.compile(r"pass|secret|token|key|credential", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build; `options` are further parameters of the engine's API."""

    context: BuildContext
    tag: str
    args: Mapping[str, str] = field(default_factory=dict)
    credentials: Mapping[str, Credential] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)


def run(ctx: Context, build: Build) -> str:
    """Build and tag; the image's id."""
    dockerfile, tar = build.context.tar()
    params = {
        "t": [build.tag],
        "dockerfile": dockerfile,
        "version": "1",
        "rm": "1",
        "forcerm": "1",  # else the container of a failed step stays on the host
        **({"buildargs": json.dumps(dict(build.args))} if build.args else {}),
        **build.options,
    }
    headers = {"Content-Type": "application/x-tar"}
    if build.credentials:
        headers["X-Registry-Config"] = header(build.credentials)
    output = _Output(ctx, build.args)
    try:
        for message in post(ctx, "/build", params=params, headers=headers, data=tar):
            output.see(message)
    except EngineError as problem:
        raise _failure(build, output, problem) from None
    if not output.image:
        raise ResourceError(
            f"the engine reported no image for {build.tag}", fix="see the Docker engine's log"
        )
    return output.image


class _Output:
    """Follows the build's output: the step it is in, its last lines, the image at its end."""

    def __init__(self, ctx: Context, args: Mapping[str, str]) -> None:
        self._ctx = ctx
        self._args = args
        self._logged = time.monotonic()
        self.step = 0
        self.instruction = ""
        self._torn = ""  # the beginning of a line whose end has not come yet
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self.image = ""

    def see(self, message: Message) -> None:
        if image := (message.get("aux") or {}).get("ID"):
            self.image = image
        text = message.get("stream") or ""
        if found := _STEP.fullmatch(text.strip()):
            self.end_line()
            self.step, self.instruction = int(found[1]), self.hide(found[2])
            self.tail.clear()
            self._log()
            return
        # The engine sends output as a command wrote it: perhaps one line in several messages, each painted.
        *lines, self._torn = _LINE_END.split(self._torn + _ESCAPE.sub("", text))
        for line in lines:
            self._take(line)

    def end_line(self) -> None:
        """No more of the current line will come."""
        line, self._torn = self._torn, ""
        self._take(line)

    def _take(self, line: str) -> None:
        line = self.hide(line).strip()
        if line and not _CHATTER.match(line):
            self.tail.append(line)
            self._log()

    @property
    def short_instruction(self) -> str:
        """The instruction in one line of a readable length."""
        text = " ".join(self.instruction.split())
        return text if len(text) <= STEP_LENGTH else f"{text[: STEP_LENGTH - 1]}…"

    @property
    def why(self) -> str:
        """The last line that speaks of a failure, else the last one."""
        return next(
            (line for line in reversed(self.tail) if _WHY.search(line)), self.tail[-1] if self.tail else ""
        )

    def _log(self) -> None:
        if time.monotonic() - self._logged >= LOG_SECONDS:
            self._logged = time.monotonic()
            self._ctx.log(f"still building, step {self.step}: {self.short_instruction}")

    def hide(self, text: str) -> str:
        """Any build argument may be a secret, so its name stands for its value."""
        for name, value in self._args.items():
            if value and (len(value) >= SHORT_VALUE or _SECRET_NAME.search(name)):
                text = text.replace(value, f"[{name}]")
        return text


def _failure(build: Build, output: _Output, problem: EngineError) -> ResourceError:
    output.end_line()
    reported = EngineError(output.hide(problem.message.strip()))
    base = _FROM.match(output.instruction)
    if "requires buildkit" in reported.message.lower():
        fix = "write the step for the classic builder: no --mount, no --link, no here-documents"
        found = ResourceError(reported.message.partition(" Refer to")[0], fix=fix)
    elif full := next((text for text in (reported.message, *output.tail) if is_disk_full(text)), None):
        found = explain(EngineError(full), build.tag)
    elif base:
        found = explain(reported, _base(base[1], build.args))
    elif ended := _EXIT.fullmatch(reported.message):
        found = ResourceError(f"a command {ended[1]}" + (f": {output.why}" if output.why else ""))
    else:
        found = ResourceError(reported.message)
    lines = [f"building {build.tag} failed: {found.cause}"]
    if output.step:
        line = _line(build.context.dockerfile, output.step)
        lines.append(f"  {build.context.dockerfile}:{line}, step {output.step}: {output.short_instruction}")
    lines += [f"  | {line}" for line in output.tail]
    return ResourceError("\n".join(lines), fix=found.fix)


def _base(name: str, args: Mapping[str, str]) -> str:
    return re.sub(r"\$\{?(\w+)\}?", lambda found: args.get(found[1], found[0]), name)


def _line(dockerfile: str, step: int) -> int:
    """The line that the n-th instruction of a Dockerfile begins on."""
    escape, number, continued = "\\", 0, False
    line_number = 0
    for line_number, raw in enumerate(Path(dockerfile).read_text(errors="replace").splitlines(), 1):
        line = raw.strip()
        if directive := re.fullmatch(r"#\s*escape\s*=\s*(\S)", line, re.IGNORECASE):
            escape = directive[1]
        if not line or line.startswith("#"):
            continue
        if not continued:
            number += 1
            if number == step:
                return line_number
        continued = line.endswith(escape)
    return line_number
