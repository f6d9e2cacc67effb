"""GPUs of a container, as a request that cannot contradict itself."""

from __future__ import annotations

from typing import Annotated, Literal

import pulumi_docker as docker
from pydantic import Field

from components.spec import Spec

Capability = Literal["gpu", "compute", "utility", "video", "graphics", "display", "compat32", "ngx"]


class _Nvidia(Spec):
    capabilities: Annotated[tuple[Capability, ...], Field(min_length=1)] = ("gpu", "utility")
    """What of the driver is mounted into the container."""
    runtime: Literal["nvidia"] | None = "nvidia"
    """The OCI runtime; None on hosts whose default runtime already knows GPUs."""


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
    ]


class CdiDevices(Spec):
    """Devices by their Container Device Interface names, such as `nvidia.com/gpu=all`."""

    kind: Literal["cdi"]
    names: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[a-z0-9.-]+/[a-z0-9_-]+=[\w.:-]+$")], ...], Field(min_length=1)
    ]


Gpu = Annotated[AllGpus | GpuCount | GpuDevices | CdiDevices, Field(discriminator="kind")]


def device_request(gpu: Gpu) -> docker.ContainerDeviceRequestArgs:
    """The engine's device request for `gpu`."""
    match gpu:
        case CdiDevices():
            return docker.ContainerDeviceRequestArgs(driver="cdi", device_ids=list(gpu.names))
        case GpuDevices():
            return docker.ContainerDeviceRequestArgs(
                driver="nvidia", device_ids=list(gpu.device_ids), capabilities=list(gpu.capabilities)
            )
        case AllGpus() | GpuCount():
            return docker.ContainerDeviceRequestArgs(
                driver="nvidia",
                count=gpu.count if isinstance(gpu, GpuCount) else -1,
                capabilities=list(gpu.capabilities),
            )


def oci_runtime(gpu: Gpu) -> str | None:
    """The OCI runtime that `gpu` needs; None: the engine's default."""
    return None if isinstance(gpu, CdiDevices) else gpu.runtime
