"""What keeps a container from taking its host down: a health check, limits, a restart policy, log rotation.

Two kinds of containers are judged by what they are. One that never starts (`start` and `mustRun` false, no
restart policy; it only carries files) runs nothing, so nothing is asked of it. A job (`mustRun` false, no
restart policy) ends by itself and its exit status is its health: it needs limits and log rotation only.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from typing import Final

from policies.node import Node
from policies.rule import CONTAINER, SERVICE, Finding, Pending, Rule, Violation, shown

_ROTATING_DRIVERS: Final = ("json-file", "local")
_LOG_SIZE: Final = re.compile(r"0*[1-9]\d*(\.\d+)?([kmgtp]i?)?b?", re.IGNORECASE)
_TEST: Final = 'give it a test, for example ["CMD", "probe", URL]'
_SHELLS: Final = ("ash", "bash", "busybox", "dash", "sh")
# Where a shell goes on whatever happened before, and what then cannot fail. `echo > /dev/tcp/...` can.
_ENDS: Final = re.compile(r"\|\||[;\n]")
_IDLE: Final = re.compile(r"(?:/(?:usr/)?bin/)?true|:|exit(?:\s+0)?|(?:echo|printf)\b[^|&<>$`]*")
_MAY_FAIL: Final = re.compile(r"\bexit\s+(?:[1-9]|[\"']?\$)|\bset\s+-\w*e|\btrap\b")
_RESTARTS: Final = ("always", "unless-stopped", "on-failure")


def _is_job(inputs: Node) -> bool:
    return inputs["mustRun"].value is False and inputs["restart"].text() in ("", "no")


def _never_starts(inputs: Node) -> bool:
    return _is_job(inputs) and inputs["start"].value is False


def _unless(
    exempt: Callable[[Node], bool], check: Callable[[Node], Iterator[Finding]]
) -> Callable[[Node], Iterator[Finding]]:
    """The check, unless the container is of the exempt kind; undecided while what tells it is unknown."""

    def guarded(inputs: Node) -> Iterator[Finding]:
        undecided = [inputs[key] for key in ("start", "mustRun", "restart") if inputs[key].unknown]
        if undecided:
            yield Pending(undecided[0].path)
        elif not exempt(inputs):
            yield from check(inputs)

    return guarded


def _health(inputs: Node) -> Iterator[Finding]:
    yield from _tests(inputs["healthcheck"]["tests"])


def _service_health(inputs: Node) -> Iterator[Finding]:
    yield from _tests(inputs["taskSpec"]["containerSpec"]["healthcheck"]["tests"])


def _tests(tests: Node) -> Iterator[Finding]:
    unknown = [item for item in tests.items() if item.unknown]
    command = [item.text() for item in tests.items()]
    if unknown:
        yield Pending(unknown[0].path)
    elif command[:1] not in (["CMD"], ["CMD-SHELL"]) or not any(command[1:]):
        why = "nothing can tell whether the container works, and what depends on it cannot wait for it"
        yield Violation(tests.path, shown(tests), why, _TEST)
    elif always_passes(command):
        why = "it passes whatever the container does, so nothing can tell whether it works"
        yield Violation(tests.path, shown(tests), why, _TEST)


def always_passes(command: list[str]) -> bool:
    """Whether a health check is an obvious one that cannot fail: `true`, `exit 0`, `probe || true`."""
    kind, *words = command
    if kind == "CMD-SHELL":
        script = " ".join(words)
    elif len(words) > 2 and posixpath.basename(words[0]) in _SHELLS and words[1].startswith("-"):
        if "e" in words[1]:
            return False
        script = words[2]
    else:
        return posixpath.basename(words[0]) in ("true", "echo", "printf", ":")
    if _MAY_FAIL.search(script):
        return False
    last = [part.strip() for part in _ENDS.split(script) if part.strip()][-1:]
    return not last or _IDLE.fullmatch(last[0]) is not None


def _limits(inputs: Node) -> Iterator[Finding]:
    yield from _memory(inputs["memory"])
    cpus, quota = inputs["cpus"], inputs["cpuQuota"]
    if cpus.unknown or quota.unknown:
        yield Pending((cpus if cpus.unknown else quota).path)
    elif cpus.number() <= 0 and quota.number() <= 0:
        yield _no_cpu_limit(cpus)


def _service_limits(inputs: Node) -> Iterator[Finding]:
    limits = inputs["taskSpec"]["resources"]["limits"]
    yield from _memory(limits["memoryBytes"])
    cpus = limits["nanoCpus"]
    if cpus.unknown:
        yield Pending(cpus.path)
    elif cpus.number() <= 0:
        yield _no_cpu_limit(cpus)


def _memory(memory: Node) -> Iterator[Finding]:
    if memory.unknown:
        yield Pending(memory.path)
    elif memory.number() <= 0:
        why = "without a limit one container can use up the host's memory and the kernel kills others"
        yield Violation(memory.path, shown(memory), why, "set the most memory it may use")


def _no_cpu_limit(cpus: Node) -> Violation:
    why = "without a limit one container can starve the others of CPU"
    return Violation(cpus.path, shown(cpus), why, "set the most CPUs it may use")


def _restart(inputs: Node) -> Iterator[Finding]:
    restart = inputs["restart"]
    if restart.text() not in _RESTARTS:
        why = "the container stays down after a crash or a restart of the host"
        yield Violation(restart.path, shown(restart), why, "set it to unless-stopped")


def _service_restart(inputs: Node) -> Iterator[Finding]:
    condition = inputs["taskSpec"]["restartPolicy"]["condition"]
    if condition.unknown:
        yield Pending(condition.path)
    elif condition.text() not in (
        "",
        "any",
        "on-failure",
    ):  # Swarm restarts on any exit unless told otherwise
        why = "the task stays down after a crash"
        yield Violation(condition.path, shown(condition), why, 'set it to "any"')


def _logs(inputs: Node) -> Iterator[Finding]:
    yield from _rotation(inputs["logDriver"], inputs["logOpts"])


def _service_logs(inputs: Node) -> Iterator[Finding]:
    driver = inputs["taskSpec"]["logDriver"]
    yield from _rotation(driver["name"], driver["options"])


def _rotation(driver: Node, options: Node) -> Iterator[Finding]:
    if driver.unknown:
        yield Pending(driver.path)
    elif driver.text() not in _ROTATING_DRIVERS:
        why = "only json-file and local keep logs on the host and bound their size"
        yield Violation(
            driver.path, shown(driver), why, 'set it to "json-file" with max-size "10m" and max-file "3"'
        )
    for key, accepts, example in (("max-size", is_log_size, "10m"), ("max-file", is_log_count, "3")):
        option = options[key]
        if option.unknown:
            yield Pending(option.path)
        elif not accepts(option.text()):
            why = "the log can grow until the disk is full"
            yield Violation(option.path, shown(option), why, f'set it, for example to "{example}"')


def is_log_size(text: str) -> bool:
    """Whether Docker takes the text for a size above zero: digits and an optional unit (`10m`, `1gb`)."""
    return _LOG_SIZE.fullmatch(text.strip()) is not None


def is_log_count(text: str) -> bool:
    """Whether the text is a number of files, one or more."""
    return text.isdecimal() and int(text) > 0


RULES: Final = (
    Rule(
        "health-check",
        "Every container that keeps running has a health check.",
        {CONTAINER: _unless(_is_job, _health), SERVICE: _service_health},
    ),
    Rule(
        "limits",
        "Every container has a memory and a CPU limit.",
        {CONTAINER: _unless(_never_starts, _limits), SERVICE: _service_limits},
    ),
    Rule(
        "restart",
        "Every container that keeps running comes back after a crash.",
        {CONTAINER: _unless(_is_job, _restart), SERVICE: _service_restart},
    ),
    Rule(
        "log-rotation",
        "Every container's log is bounded.",
        {CONTAINER: _unless(_never_starts, _logs), SERVICE: _service_logs},
    ),
)
