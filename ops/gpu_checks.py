"""Whether containers of a stack can have the GPUs that they ask for: driver, container toolkit, a try."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ops import one_shot
from ops.errors import UserError
from ops.findings import Finding
from ops.host_facts import HostFacts
from stacks import gpu_host

if TYPE_CHECKING:
    from docker import DockerClient

    from stacks.host_needs import GpuNeed
    from stacks.settings import StackSettings

DRIVER, TOOLKIT, INSIDE = "NVIDIA driver", "container toolkit", "GPU inside Docker"
_INSTALL = (
    "install the NVIDIA Container Toolkit there, then `nvidia-ctk runtime configure --runtime=docker` and "
    "restart the engine"
)
_INSTALL_CDI = (
    "Docker 25 or newer, with `features: {cdi: true}` in its daemon.json before 28; `nvidia-ctk cdi list` "
    "prints the names"
)
_NONE = 100  # the exit status for a container without any GPU; none of nvidia-smi's
# Devices are there whatever the request asks of the driver. nvidia-smi only with `utility`, and where the
# image has what it is linked with: that it cannot be run says nothing.
_SCRIPT = f"""
found=
for device in /dev/nvidia[0-9]* /dev/dxg; do [ ! -e "$device" ] || found="$found $device"; done
[ -n "$found" ] || exit {_NONE}
echo "${{found# }}"
command -v nvidia-smi >/dev/null || exit 0
nvidia-smi -L; status=$?
[ $status -ne 126 ] && [ $status -ne 127 ] || exit 0
exit $status
"""


def driver(stack: StackSettings, facts: HostFacts) -> list[Finding]:
    """The driver against the CUDA matrix, as `up` judges it where the engine is on this machine."""
    here = gpu_host.is_here(stack.host)
    version = gpu_host.driver() if here else facts.driver
    problems = [] if here else list(stack.host_problems())
    if here or not facts.untold:
        where = "this machine" if here else "the engine's host"
        problems += [
            problem
            for system in stack.chosen().values()
            for problem in system.driver_problems(version, where)
        ]
    if problems:
        fix = "install or upgrade the driver on the engine's host, or set what the line allows"
        return [Finding(DRIVER, "missing", str(problem), fix) for problem in problems]
    if not here and facts.untold:
        see = "see there what `nvidia-smi` says: 530 or newer runs CUDA 12.1, 450 or newer 11.8"
        return [Finding(DRIVER, "unknown", f"not known: {facts.untold}", see)]
    return [Finding(DRIVER, "ok", f"{version}, new enough for the CUDA of the stack's image")]


def toolkit(need: GpuNeed, facts: HostFacts) -> Finding:
    """What the engine knows of GPUs: the runtime `nvidia`, or the Container Device Interface."""
    known = ", ".join(sorted(facts.runtimes)) or "none"
    if need.by_cdi:
        if facts.cdi:
            return Finding(TOOLKIT, "ok", "the engine knows the Container Device Interface (CDI)")
        return Finding(
            TOOLKIT, "missing", "the engine does not know the Container Device Interface (CDI)", _INSTALL_CDI
        )
    wanted = need.runtime or "nvidia"
    if wanted in facts.runtimes:
        return Finding(TOOLKIT, "ok", f"the engine has the runtime {wanted}")
    if need.runtime is None:
        asked = f"the stack asks the engine's default runtime, which does not say so (it has: {known})"
        return Finding(TOOLKIT, "unknown", f"not known: {asked}", f"see what {INSIDE} says")
    return Finding(
        TOOLKIT, "missing", f"the engine has no runtime {need.runtime} (it has: {known})", _INSTALL
    )


def inside(client: DockerClient, need: GpuNeed, images: Sequence[str], *, stack: str) -> Finding:
    """A container with the stack's own request, made, asked and removed. images: what may be started."""
    there = one_shot.images_there(client, images)
    if not there:
        return Finding(
            INSIDE,
            "unknown",
            "not tried: the engine has none of the stack's images yet",
            f"look again after the first ./berth up -s {stack}, or pull one of them",
        )
    host = {"DeviceRequests": [dict(need.request)], **({"Runtime": need.runtime} if need.runtime else {})}
    try:
        image, status, output = one_shot.ask_any(client, there, _SCRIPT, host=host, stack=stack)
    except one_shot.NoShellError as error:
        return Finding(INSIDE, "unknown", f"not tried: {error.cause}", error.fix)
    except UserError as error:
        return Finding(INSIDE, "missing", error.cause, error.fix)
    return judged(status, output.strip(), image)


def judged(status: int, output: str, image: str) -> Finding:
    """What the container said."""
    if status == 0:
        return Finding(INSIDE, "ok", f"{' '.join(output.split())} (in a container of {image})")
    if status == _NONE:
        return Finding(
            INSIDE,
            "missing",
            f"a container of {image} was started with the stack's request, and has no GPU",
            f"{_INSTALL}; then look at `docker run --rm --gpus all IMAGE nvidia-smi`",
        )
    last = " ".join(output.split()) or "nothing"
    return Finding(
        INSIDE,
        "missing",
        f"a container of {image} has a GPU that does not answer (status {status}): {last}",
        "see on the engine's host whether `nvidia-smi` answers; a driver that was upgraded needs a restart",
    )
