"""GPUs of a container, as a request that cannot contradict itself. Read without pulumi."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field

from components.spec import Spec, default_tag

if TYPE_CHECKING:
    import pulumi_docker as docker

Capability = Literal["gpu", "compute", "utility", "video", "graphics", "display", "compat32", "ngx"]


def _each_once(given: tuple[str, ...]) -> tuple[str, ...]:
    if twice := sorted({name for name in given if given.count(name) > 1}):
        raise ValueError(f"{', '.join(twice)} requested twice; allowed: each once")
    return given


class _Nvidia(Spec):
    driver: Literal["nvidia"] = "nvidia"
    """The engine's driver of these devices."""
    capabilities: Annotated[tuple[Capability, ...], Field(min_length=1), AfterValidator(_each_once)] = (
        "gpu",
        "compute",
        "utility",
    )
    """What of the driver is mounted into the container. Docker says nothing but these to the driver's hook,
    whatever the image asks for: without `compute` there is no libcuda, and CUDA finds no GPU."""
    runtime: Literal["nvidia"] | None = "nvidia"
    """The OCI runtime; null on hosts whose default runtime already knows GPUs."""


class AllGpus(_Nvidia):
    """Every GPU of the host (the engine's count -1)."""

    kind: Literal["all"] = "all"


class GpuCount(_Nvidia):
    """Any so many GPUs."""

    kind: Literal["count"]
    count: Annotated[int, Field(ge=1)]


class GpuDevices(_Nvidia):
    """These GPUs, by index or UUID as `nvidia-smi -L` prints them."""

    kind: Literal["devices"]
    device_ids: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(\d+|GPU-[0-9a-f-]+|MIG-[0-9A-Za-z/-]+)$")], ...],
        Field(min_length=1),
        AfterValidator(_each_once),
    ]


class CdiDevices(Spec):
    """Devices by their Container Device Interface names, such as `nvidia.com/gpu=all`."""

    kind: Literal["cdi"]
    names: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-z0-9_-]+=[\w.:-]+$")], ...],
        Field(min_length=1),
        AfterValidator(_each_once),
    ]


Gpu = Annotated[
    AllGpus | GpuCount | GpuDevices | CdiDevices, Field(discriminator="kind"), default_tag("kind", "all")
]


def device_request(gpu: Gpu) -> docker.ContainerDeviceRequestArgs:
    """The engine's device request for `gpu`."""
    # Only here: settings know the types, and load without the SDK.
    import pulumi_docker as docker

    asked = engine_request(gpu)
    (capabilities,) = asked["Capabilities"]
    return docker.ContainerDeviceRequestArgs(
        driver=asked["Driver"],
        count=asked["Count"] or None,
        device_ids=asked["DeviceIDs"] or None,
        capabilities=capabilities or None,
    )


def engine_request(gpu: Gpu) -> dict[str, Any]:
    """The same in the words of the engine's API, for those who ask it without a resource."""
    asked: dict[str, Any] = {
        "Driver": "cdi",
        "Count": 0,
        "DeviceIDs": [],
        "Capabilities": [[]],
        "Options": {},
    }
    match gpu:
        case CdiDevices():
            return asked | {"DeviceIDs": list(gpu.names)}
        case GpuDevices():
            chosen: dict[str, Any] = {"DeviceIDs": list(gpu.device_ids)}
        case AllGpus() | GpuCount():
            chosen = {"Count": gpu.count if isinstance(gpu, GpuCount) else -1}
    return asked | chosen | {"Driver": gpu.driver, "Capabilities": [list(gpu.capabilities)]}


def visible(gpu: Gpu) -> str | None:
    """NVIDIA_VISIBLE_DEVICES, where the request says which; an image may say it otherwise."""
    match gpu:
        case AllGpus():
            return "all"
        case GpuDevices():
            return ",".join(gpu.device_ids)
        case GpuCount() | CdiDevices():
            return None


def oci_runtime(gpu: Gpu) -> str | None:
    """The OCI runtime that `gpu` needs; None: the engine's default."""
    return None if isinstance(gpu, CdiDevices) else gpu.runtime
