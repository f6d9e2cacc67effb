"""Actions that tell what there is: regions, zones, what is in stock, what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from emulator.api.call import Answer, Call, Parameters, Request
from emulator.api.errors import ApiError, missing_parameter
from emulator.instance_types import families, instance_types
from emulator.regions import REGIONS, zones
from emulator.services.ecs import catalogue
from emulator.services.ecs.catalogue import DISKS, SOLD_OUT, Priced
from emulator.services.ecs.service import ECS

Charge = Literal["", "PostPaid", "PrePaid"]
Spot = Literal["", "NoSpot"]
"""No machine here is taken away for a higher bid."""
Language = Literal["zh-CN", "en-US", "ja"]


class DescribeRegions(Request):
    regional: ClassVar[bool] = False

    accept_language: Language = "zh-CN"
    instance_charge_type: Charge = ""
    resource_type: Literal["", "instance", "disk", "reservedInstance", "ddh"] = ""


@ECS.action
def describe_regions(call: Call, given: DescribeRegions) -> Answer:  # noqa: ARG001
    return {
        "Regions": {
            "Region": [
                {
                    "RegionId": region,
                    "LocalName": catalogue.region_name(region, given.accept_language),
                    "RegionEndpoint": f"ecs.{region}.aliyuncs.com",
                    "Status": "available",
                }
                for region in REGIONS
            ]
        }
    }


class DescribeZones(Request):
    accept_language: Language = "zh-CN"
    instance_charge_type: Charge = ""
    spot_strategy: Spot = ""
    verbose: bool = True


@ECS.action
def describe_zones(call: Call, given: DescribeZones) -> Answer:
    return {"Zones": {"Zone": [_zone(zone, call.region, given) for zone in zones(call.region)]}}


def _zone(zone: str, region: str, given: DescribeZones) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "ZoneId": zone,
        "LocalName": catalogue.zone_name(zone, region, given.accept_language),
        "ZoneType": "AvailabilityZone",
    }
    if not given.verbose:
        return shape
    types, categories = list(instance_types()), list(DISKS)
    return shape | {
        "AvailableResourceCreation": {"ResourceTypes": ["VSwitch", "IoOptimized", "Instance", "Disk"]},
        "AvailableDiskCategories": {"DiskCategories": categories},
        "AvailableInstanceTypes": {"InstanceTypes": types},
        "AvailableVolumeCategories": {"VolumeCategories": []},
        "AvailableDedicatedHostTypes": {"DedicatedHostType": []},
        "DedicatedHostGenerations": {"DedicatedHostGeneration": []},
        "AvailableResources": {
            "ResourcesInfo": [
                {
                    "IoOptimized": True,
                    "InstanceTypes": {"supportedInstanceType": types},
                    "InstanceTypeFamilies": {"supportedInstanceTypeFamily": list(families())},
                    "InstanceGenerations": {
                        "supportedInstanceGeneration": sorted({one.generation for one in families().values()})
                    },
                    "SystemDiskCategories": {"supportedSystemDiskCategory": categories},
                    "DataDiskCategories": {"supportedDataDiskCategory": categories},
                    "NetworkTypes": {"supportedNetworkCategory": ["vpc"]},
                }
            ]
        },
    }


def _small(value: Any) -> Any:
    """The official provider writes Vpc."""
    return value.lower() if isinstance(value, str) else value


class DescribeAvailableResource(Request):
    destination_resource: Literal["Zone", "IoOptimized", "InstanceType", "SystemDisk", "DataDisk", "Network"]
    zone_id: str = ""
    resource_type: Literal["", "instance", "disk"] = ""
    instance_charge_type: Charge = ""
    spot_strategy: Spot = ""
    io_optimized: Literal["", "optimized", "none"] = ""
    instance_type: str = ""
    system_disk_category: str = ""
    data_disk_category: str = ""
    network_category: Annotated[Literal["", "vpc", "classic"], BeforeValidator(_small)] = ""
    cores: Annotated[int, Field(ge=1)] | None = None
    memory: Annotated[float, Field(gt=0)] | None = None
    scope: Literal["", "Region", "Zone"] = ""


@ECS.action
def describe_available_resource(call: Call, given: DescribeAvailableResource) -> Answer:
    if given.zone_id:
        catalogue.must_be_zone(call.region, given.zone_id)
    if given.instance_type:
        catalogue.instance_type(given.instance_type)
    for category in (given.system_disk_category, given.data_disk_category):
        _must_be_category(category)
    supported = _in_stock(given)
    old = given.system_disk_category in SOLD_OUT or given.data_disk_category in SOLD_OUT
    if not supported or old or given.network_category == "classic" or given.io_optimized == "none":
        return {"AvailableZones": {"AvailableZone": []}}
    resource = {
        "Type": given.destination_resource,
        "SupportedResources": {"SupportedResource": supported},
    }
    resources = [] if given.destination_resource == "Zone" else [resource]
    return {
        "AvailableZones": {
            "AvailableZone": [
                {
                    "RegionId": call.region,
                    "ZoneId": zone,
                    "Status": "Available",
                    "StatusCategory": "WithStock",
                    "AvailableResources": {"AvailableResource": resources},
                }
                for zone in zones(call.region)
                if given.zone_id in ("", zone)
            ]
        }
    }


def _in_stock(given: DescribeAvailableResource) -> list[dict[str, Any]]:
    match given.destination_resource:
        case "Zone" | "Network":
            return [_supported("vpc")]
        case "IoOptimized":
            return [_supported("optimized")]
        case "InstanceType":
            return [
                _supported(one.id)
                for one in instance_types().values()
                if given.instance_type in ("", one.id)
                and given.cores in (None, one.vcpus)
                and given.memory in (None, one.gib)
            ]
        case "SystemDisk":
            return [
                _supported(one.id) | {"Min": one.least_system, "Max": 2048, "Unit": "GiB"}
                for one in DISKS.values()
                if given.system_disk_category in ("", one.id)
            ]
        case "DataDisk":
            return [
                _supported(one.id) | {"Min": one.least_data, "Max": one.most, "Unit": "GiB"}
                for one in DISKS.values()
                if given.data_disk_category in ("", one.id)
            ]


def _supported(value: str) -> dict[str, Any]:
    return {"Value": value, "Status": "Available", "StatusCategory": "WithStock"}


def _must_be_category(category: str, sold_out: Sequence[str] = SOLD_OUT) -> None:
    if category and category not in DISKS and category not in sold_out:
        raise ApiError(
            400, "InvalidDiskCategory.ValueNotSupported", "The specified disk category is not supported."
        )


class PricedDisk(Parameters):
    category: str = "cloud_efficiency"
    size: Annotated[int, Field(ge=1)] = 40
    performance_level: Literal["PL0", "PL1", "PL2", "PL3"] = "PL1"


class DescribePrice(Request):
    resource_type: Literal["instance", "disk"] = "instance"
    instance_type: str = ""
    image_id: str = ""
    zone_id: str = ""
    io_optimized: Literal["", "optimized"] = ""
    instance_network_type: Literal["", "vpc"] = ""
    internet_charge_type: Literal["PayByTraffic", "PayByBandwidth"] = "PayByTraffic"
    internet_max_bandwidth_out: Annotated[int, Field(ge=0, le=100)] = 0
    system_disk: PricedDisk | None = None
    data_disk: Annotated[tuple[PricedDisk, ...], Field(max_length=64)] = ()
    period: Annotated[int, Field(ge=1)] = 1
    price_unit: Literal["Hour", "Day", "Week", "Month", "Year"] = "Hour"
    amount: Annotated[int, Field(ge=1, le=1000)] = 1
    spot_strategy: Spot = ""


@ECS.action
def describe_price(call: Call, given: DescribePrice) -> Answer:
    """Plausible, not Alibaba Cloud's prices: they follow vCPUs, memory, GPUs, disks and bandwidth."""
    if given.zone_id:
        catalogue.must_be_zone(call.region, given.zone_id)
    parts = catalogue.over(list(_parts(given)), given.price_unit, given.period, given.amount)
    total = sum((part.price for part in parts), Decimal(0))
    return {
        "PriceInfo": {
            "Price": {
                "Currency": "CNY",
                "OriginalPrice": float(total),
                "DiscountPrice": 0.0,
                "TradePrice": float(total),
                "DetailInfos": {
                    "DetailInfo": [
                        {
                            "Resource": part.resource,
                            "OriginalPrice": float(part.price),
                            "DiscountPrice": 0.0,
                            "TradePrice": float(part.price),
                            "SubRules": {"Rule": []},
                        }
                        for part in parts
                    ]
                },
            },
            "Rules": {"Rule": []},
        }
    }


def _parts(given: DescribePrice) -> list[Priced]:
    """By the hour."""
    disks = ([given.system_disk] if given.system_disk else []) + list(given.data_disk)
    for disk in disks:
        _must_be_category(disk.category, sold_out=())
    costs = [catalogue.disk_price(disk.category, disk.size, disk.performance_level) for disk in disks]
    if given.resource_type == "disk":
        if not given.data_disk:
            raise missing_parameter("DataDisk.1.Category")
        return [Priced("dataDisk", sum(costs, Decimal(0)))]
    if not given.instance_type:
        raise missing_parameter("InstanceType")
    if given.image_id:
        catalogue.image(given.image_id)
    parts = [Priced("instanceType", catalogue.type_price(catalogue.instance_type(given.instance_type)))]
    if given.system_disk:
        parts.append(Priced("systemDisk", costs.pop(0)))
    parts += [Priced("dataDisk", cost) for cost in costs]
    if given.internet_charge_type == "PayByBandwidth":
        parts.append(Priced("bandwidth", catalogue.bandwidth_price(given.internet_max_bandwidth_out)))
    return parts
