"""Actions that tell which instance types and images there are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from emulator.api import errors
from emulator.api.call import Answer, Call, Parameters, Request, Tag
from emulator.api.paging import Numbered, numbered, tokened
from emulator.images import Image, images
from emulator.instance_types import InstanceType, families, instance_types
from emulator.services.ecs import catalogue
from emulator.services.ecs.catalogue import DISKS
from emulator.services.ecs.service import ECS
from emulator.times import seconds_utc

Least = Annotated[int, Field(ge=0)] | None


class DescribeInstanceTypeFamilies(Request):
    generation: str = ""


@ECS.action
def describe_instance_type_families(call: Call, given: DescribeInstanceTypeFamilies) -> Answer:  # noqa: ARG001
    return {
        "InstanceTypeFamilies": {
            "InstanceTypeFamily": [
                {"InstanceTypeFamilyId": one.id, "Generation": one.generation}
                for one in families().values()
                if given.generation in ("", one.generation)
            ]
        }
    }


class DescribeInstanceTypes(Request):
    regional: ClassVar[bool] = False

    instance_types: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    instance_type_family: str = ""
    instance_type_families: Annotated[tuple[str, ...], Field(max_length=10)] = ()
    instance_family_level: str = ""
    instance_category: str = ""
    cpu_architecture: Literal["", "X86", "ARM"] = ""
    gpu_spec: Annotated[str, Field(alias="GPUSpec")] = ""
    minimum_cpu_core_count: Least = None
    maximum_cpu_core_count: Least = None
    minimum_memory_size: float | None = None
    maximum_memory_size: float | None = None
    minimum_gpu_amount: Annotated[Least, Field(alias="MinimumGPUAmount")] = None
    maximum_gpu_amount: Annotated[Least, Field(alias="MaximumGPUAmount")] = None
    minimum_eni_quantity: Least = None
    minimum_eni_private_ip_address_quantity: Least = None
    minimum_eni_ipv6_address_quantity: Least = None
    nvme_support: Literal["", "required", "unsupported", "supported"] = ""
    instance_type: str = ""
    """Not among this action's documented parameters; the official provider sends it."""
    system_disk_category: str = ""
    """As above. All types take all categories of disks here."""
    next_token: str = ""
    max_results: Annotated[int, Field(ge=1, le=1600)] | None = None


@ECS.action
def describe_instance_types(call: Call, given: DescribeInstanceTypes) -> Answer:  # noqa: ARG001
    found = [one for one in instance_types().values() if _wanted(one, given)]
    part, said = tokened(given.next_token, given.max_results, found, default=1600)
    return {
        "NextToken": said["NextToken"],
        "InstanceTypes": {"InstanceType": [_type(one) for one in part]},
    }


def _wanted(one: InstanceType, given: DescribeInstanceTypes) -> bool:
    family = one.family
    return (
        (not given.instance_types or one.id in given.instance_types)
        and given.instance_type in ("", one.id)
        and given.instance_type_family in ("", family.id)
        and (not given.instance_type_families or family.id in given.instance_type_families)
        and given.instance_family_level in ("", family.level)
        and given.instance_category in ("", family.category)
        and given.cpu_architecture in ("", "X86")
        and given.gpu_spec in ("", family.gpu)
        and given.nvme_support in ("", family.nvme)
        and (not given.system_disk_category or given.system_disk_category in DISKS)
        and _between(one.vcpus, given.minimum_cpu_core_count, given.maximum_cpu_core_count)
        and _between(one.gib, given.minimum_memory_size, given.maximum_memory_size)
        and _between(one.gpus, given.minimum_gpu_amount, given.maximum_gpu_amount)
        and _between(one.enis, given.minimum_eni_quantity, None)
        and _between(one.eni_addresses, given.minimum_eni_private_ip_address_quantity, None)
        and _between(one.eni_addresses, given.minimum_eni_ipv6_address_quantity, None)
    )


def _between(value: float, least: float | None, most: float | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _type(one: InstanceType) -> dict[str, Any]:
    family = one.family
    shape: dict[str, Any] = {
        "InstanceTypeId": one.id,
        "InstanceTypeFamily": family.id,
        "InstanceFamilyLevel": family.level,
        "InstanceCategory": family.category,
        "CpuArchitecture": "X86",
        "CpuCoreCount": one.vcpus,
        "CpuSpeedFrequency": family.gigahertz,
        "CpuTurboFrequency": family.turbo,
        "PhysicalProcessorModel": family.processor,
        "MemorySize": one.gib,
        "GPUAmount": one.gpus,
        "GPUSpec": family.gpu,
        "GPUMemorySize": family.gpu_gib,
        "InitialCredit": one.initial_credit,
        "BaselineCredit": one.baseline_credit,
        "LocalStorageAmount": 0,
        "LocalStorageCapacity": 0,
        "LocalStorageCategory": "",
        "DiskQuantity": 17,
        "EniQuantity": one.enis,
        "EniTotalQuantity": one.enis,
        "EniTrunkSupported": False,
        "EniPrivateIpAddressQuantity": one.eni_addresses,
        "EniIpv6AddressQuantity": one.eni_addresses,
        "EriQuantity": 0,
        "PrimaryEniQueueNumber": one.queues,
        "SecondaryEniQueueNumber": one.queues,
        "MaximumQueueNumberPerEni": one.queues,
        "TotalEniQueueQuantity": one.queues * one.enis,
        "QueuePairNumber": 0,
        "InstanceBandwidthRx": one.mbit * 1000,  # kbit/s
        "InstanceBandwidthTx": one.mbit * 1000,
        "InstancePpsRx": one.packets,
        "InstancePpsTx": one.packets,
        "NvmeSupport": family.nvme,
        "JumboFrameSupport": False,
        "NetworkCardQuantity": 1,
        "NetworkEncryptionSupport": False,
        "SupportedBootModes": {"SupportedBootMode": ["BIOS", "UEFI"]},
        "CpuOptions": {
            "Core": one.vcpus // 2,
            "CoreFactor": 1,
            "ThreadsPerCore": 2,
            "HyperThreadingAdjustable": False,
        },
    }
    return shape


class DescribeImageSupportInstanceTypes(Request):
    image_id: str = ""
    action_type: Literal["CreateEcs", "ChangeOS"] = "CreateEcs"


@ECS.action
def describe_image_support_instance_types(call: Call, given: DescribeImageSupportInstanceTypes) -> Answer:
    if not given.image_id:
        raise errors.missing("ImageId")
    return {
        "ImageId": catalogue.image(given.image_id).id,
        "RegionId": call.region,
        "InstanceTypes": {
            "InstanceType": [
                {
                    "InstanceTypeId": one.id,
                    "InstanceTypeFamily": one.family.id,
                    "CpuCoreCount": one.vcpus,
                    "MemorySize": one.gib,
                }
                for one in instance_types().values()
            ]
        },
    }


class Filter(Parameters):
    key: Literal["CreationStartTime", "CreationEndTime", "NetworkType"]
    value: str


class DescribeImages(Numbered):
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    image_id: Annotated[str, Field(max_length=10_000)] = ""
    """One id, or several with commas between."""
    image_name: str = ""
    """With * at its end: what begins so."""
    image_family: str = ""
    image_owner_alias: Literal["", "system", "self", "others", "marketplace"] = ""
    image_owner_id: int | None = None
    status: str = "Available"
    """Several with commas between."""
    os_type: Annotated[Literal["", "linux", "windows"], Field(alias="OSType")] = ""
    architecture: Literal["", "i386", "x86_64", "arm64"] = ""
    instance_type: str = ""
    is_support_io_optimized: bool = True
    is_support_cloudinit: bool = True
    is_public: bool = True
    show_expired: bool = False
    snapshot_id: str = ""
    resource_group_id: str = ""
    usage: Literal["", "instance", "none"] = ""
    action_type: Literal["", "CreateEcs", "ChangeOS"] = ""
    tag: tuple[Tag, ...] = ()
    filter: tuple[Filter, ...] = ()


@ECS.action
def describe_images(call: Call, given: DescribeImages) -> Answer:
    """Public images; there are no others here."""
    if given.dry_run:
        raise errors.dry_run()
    if given.instance_type:
        catalogue.instance_type(given.instance_type)
    for one in given.filter:
        raise errors.not_served(call.action, f"Filter {one.key}")
    ids = given.image_id.split(",") if given.image_id else None
    public = (
        given.image_owner_alias in ("", "system")
        and given.image_owner_id is None
        and "Available" in given.status.split(",")
        and given.os_type in ("", "linux")
        and given.architecture in ("", "x86_64")
        and given.usage in ("", "none")
        and given.is_support_io_optimized
        and given.is_support_cloudinit
        and given.is_public
        and not (given.snapshot_id or given.resource_group_id or given.tag)
    )
    found = [
        image
        for image in images().values()
        if public
        and (ids is None or image.id in ids)
        and _named(image.id, given.image_name)
        and given.image_family in ("", image.family)
    ]
    part, said = numbered(given, found[::-1])
    return said | {"RegionId": call.region, "Images": {"Image": [_image(image) for image in part]}}


def _named(name: str, wanted: str) -> bool:
    return name.startswith(wanted[:-1]) if wanted.endswith("*") else wanted in ("", name)


class DescribeImageFromFamily(Request):
    image_family: str


@ECS.action
def describe_image_from_family(call: Call, given: DescribeImageFromFamily) -> Answer:  # noqa: ARG001
    shape = _image(catalogue.newest(given.image_family))
    unknown = (  # of this action; DescribeImages has them
        "BootMode", "ImageOwnerId", "IsPublic", "LoginAsNonRootSupported", "OSNameEn", "ResourceGroupId",
        "Features", "Usable",
    )  # fmt: skip
    return {"Image": {name: value for name, value in shape.items() if name not in unknown}}


def _image(image: Image) -> dict[str, Any]:
    return {
        "ImageId": image.id,
        "ImageName": image.id,
        "ImageFamily": image.family,
        "ImageVersion": image.version,
        "ImageOwnerAlias": "system",
        "ImageOwnerId": 0,
        "Description": "",
        "OSName": image.os_name,
        "OSNameEn": image.name_en,
        "OSType": "linux",
        "Platform": image.platform,
        "Architecture": "x86_64",
        "BootMode": "BIOS",
        "Size": image.gib,
        "Status": "Available",
        "Usage": "none",
        "Usable": True,
        "Progress": "100%",
        "ProductCode": "",
        "CreationTime": seconds_utc(image.created),
        "IsCopied": False,
        "IsPublic": True,
        "IsSelfShared": "",
        "IsSubscribed": False,
        "IsSupportCloudinit": True,
        "IsSupportIoOptimized": True,
        "LoginAsNonRootSupported": False,
        "ResourceGroupId": "",
        "Features": {"NvmeSupport": "supported", "ImdsSupport": "v2"},
        "DiskDeviceMappings": {"DiskDeviceMapping": []},
        "Tags": {"Tag": []},
    }
