"""Functions: what the account, its regions and the catalogue of machines say."""

from __future__ import annotations

from typing import Any, Final

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, matching, one_of
from offline.alicloud.lookup import Arguments, Found, Lookup, listed
from offline.alicloud.work import Work
from offline.provider.resource import Context, ResourceError

_PLAIN: Final = Property()
_PAYMENT: Final = Property(default="PostPaid", valid=one_of("PrePaid", "PostPaid"))
_SPOT: Final = Property(default="NoSpot", valid=one_of("NoSpot", "SpotAsPriceGo", "SpotWithPriceLimit"))
_NETWORK: Final = Property(valid=one_of("Vpc", "Classic"))
_ECS: Final = matching(r"^ecs\..*", "must begin with 'ecs.'")
_BALANCERS: Final = "load balancers are not served by this plugin; use the official alicloud plugin"
_PRODUCTS: Final = one_of("Instance", "VSwitch", "Disk", "IoOptimized")


def get_account(ctx: Context, arguments: Arguments) -> dict[str, Any]:  # noqa: ARG001
    """alicloud:index/getAccount:getAccount. The number of the account that the keys belong to."""
    if ctx.engine.account:
        return {"id": ctx.engine.account}
    return {"id": Work.of(ctx, "sts", 60)("GetCallerIdentity", {})["AccountId"]}


# --- regions and zones


def _regions(work: Work, given: Arguments) -> Found:
    found = listed(work("DescribeRegions", {}), "Regions.Region")
    here, name = work.api.settings.region, given.get("name")
    if given.get("current"):
        if name not in (None, here):
            raise ResourceError(
                f"getRegions: name is {name}, and current is {here}", fix="give one of the two"
            )
        name = here
    found = [one for one in found if name in (None, one["RegionId"])]
    if not found:
        raise ResourceError(
            f"getRegions: there is no region '{name}'", fix="correct the name, or leave it out"
        )
    regions = [
        {"id": one["RegionId"], "regionId": one["RegionId"], "localName": one["LocalName"]} for one in found
    ]
    return [one["RegionId"] for one in found], {"regions": regions}


get_regions: Final = Lookup(
    "alicloud:index/getRegions:getRegions",
    "ecs",
    {"current": _PLAIN, "name": _PLAIN, "outputFile": _PLAIN},
    _regions,
    "regions",
)


def _zones(work: Work, given: Arguments) -> Found:
    stocked = {one["ZoneId"] for one in _available(work, given, {"DestinationResource": "Zone"})}
    asked = {"InstanceChargeType": given["instanceChargeType"], "SpotStrategy": given["spotStrategy"]}
    kind, disk = given.get("availableInstanceType"), given.get("availableDiskCategory")
    creates = given.get("availableResourceCreation")
    zones = []
    for one in listed(work("DescribeZones", asked), "Zones.Zone"):
        kinds = listed(one, "AvailableInstanceTypes.InstanceTypes")
        disks = listed(one, "AvailableDiskCategories.DiskCategories")
        made = listed(one, "AvailableResourceCreation.ResourceTypes")
        fits = one["ZoneId"] in stocked and kinds and disks
        if not fits or (kind and kind not in kinds) or (disk and disk not in disks):
            continue
        if creates and creates not in made:
            continue
        zone: dict[str, Any] = {"id": one["ZoneId"]}
        if given.get("enableDetails"):
            zone |= {
                "localName": one["LocalName"],
                "availableInstanceTypes": kinds,
                "availableDiskCategories": disks,
                "availableResourceCreations": made,
            }
        zones.append(zone)
    zones.sort(key=lambda zone: str(zone["id"]))
    return [zone["id"] for zone in zones], {"zones": zones}


def _available(work: Work, given: Arguments, asked: dict[str, Any]) -> list[Answer]:
    """The zones that have something in stock."""
    wanted = {
        **asked,
        "IoOptimized": "none" if given.get("isOutdated") else "optimized",
        "InstanceChargeType": given["instanceChargeType"],
        "SpotStrategy": given["spotStrategy"],
        "NetworkCategory": given.get("networkType"),
        "SystemDiskCategory": given.get("systemDiskCategory"),
    }
    answer = work("DescribeAvailableResource", {name: value for name, value in wanted.items() if value})
    found = [one for one in listed(answer, "AvailableZones.AvailableZone") if one.get("Status") != "SoldOut"]
    zone = given.get("availabilityZone")
    if zone and zone not in {one["ZoneId"] for one in found}:
        raise ResourceError(
            f"nothing of that is in stock in zone {zone}",
            fix=f"choose one of {', '.join(sorted(one['ZoneId'] for one in found)) or 'another region'}",
        )
    return [one for one in found if zone in (None, "", one["ZoneId"])]


get_zones: Final = Lookup(
    "alicloud:index/getZones:getZones",
    "ecs",
    {
        "availableDiskCategory": Property(
            valid=one_of(
                "all", "cloud", "ephemeral_ssd", "cloud_essd", "cloud_efficiency", "cloud_ssd", "local_disk"
            )
        ),
        "availableInstanceType": Property(valid=_ECS),
        "availableResourceCreation": Property(valid=_PRODUCTS),
        "availableSlbAddressIpVersion": Property(refused=_BALANCERS),
        "availableSlbAddressType": Property(refused=_BALANCERS),
        "enableDetails": _PLAIN,
        "instanceChargeType": _PAYMENT,
        "multi": Property(refused="only databases have such zones, and this plugin serves none"),
        "networkType": _NETWORK,
        "outputFile": _PLAIN,
        "spotStrategy": _SPOT,
    },
    _zones,
    "zones",
)


# --- instance types


def _instance_types(work: Work, given: Arguments) -> Found:
    stock: dict[str, list[str]] = {}
    asked = {
        "DestinationResource": "InstanceType",
        "Cores": given.get("cpuCoreCount"),
        "Memory": given.get("memorySize"),
    }
    for zone in _available(work, given, asked):
        for resource in listed(zone, "AvailableResources.AvailableResource"):
            for kind in listed(resource, "SupportedResources.SupportedResource"):
                if kind.get("Status") != "SoldOut":
                    stock.setdefault(kind["Value"], []).append(zone["ZoneId"])
    found = [one for one in _types(work, given) if one["InstanceTypeId"] in stock and _fits(one, given)]
    if image := given.get("imageId"):
        supported = listed(
            work("DescribeImageSupportInstanceTypes", {"ImageId": image}), "InstanceTypes.InstanceType"
        )
        names = {one["InstanceTypeId"] for one in supported}
        found = [one for one in found if one["InstanceTypeId"] in names]
    order = {"CPU": "CpuCoreCount", "Memory": "MemorySize"}.get(given.get("sortedBy", ""))
    if order:
        found.sort(key=lambda one: float(one[order]))
    types = [_instance_type(one, sorted(stock[one["InstanceTypeId"]])) for one in found]
    return [one["id"] for one in types], {"instanceTypes": types}


def _types(work: Work, given: Arguments) -> list[Answer]:
    asked = {
        "InstanceTypes": [given["instanceType"]] if given.get("instanceType") else None,
        "InstanceTypeFamily": given.get("instanceTypeFamily"),
        "GPUSpec": given.get("gpuSpec"),
        "MinimumEniIpv6AddressQuantity": given.get("minimumEniIpv6AddressQuantity"),
        "MinimumEniPrivateIpAddressQuantity": given.get("minimumEniPrivateIpAddressQuantity"),
    }
    wanted = {name: value for name, value in asked.items() if value is not None}
    found: list[Answer] = []
    while True:
        answer = work("DescribeInstanceTypes", wanted)
        found += listed(answer, "InstanceTypes.InstanceType")
        if not answer.get("NextToken"):
            return found
        wanted["NextToken"] = answer["NextToken"]


def _fits(one: Answer, given: Arguments) -> bool:
    role = given.get("kubernetesNodeRole")
    if role and (one["InstanceTypeFamily"] == "ecs.t5" or one["CpuCoreCount"] < 2 or one["MemorySize"] < 4):
        return False
    if role == "Master" and one["InstanceTypeFamily"].startswith("ecs.gn"):
        return False
    return (
        given.get("cpuCoreCount") in (None, 0, one["CpuCoreCount"])
        and given.get("memorySize") in (None, 0, one["MemorySize"])
        and given.get("eniAmount", 0) <= one.get("EniQuantity", 0)
        and given.get("gpuAmount") in (None, 0, one.get("GPUAmount"))
    )


def _instance_type(one: Answer, zones: list[str]) -> dict[str, Any]:
    def text(name: str) -> str:
        return str(one.get(name) or 0)

    return {
        "id": one["InstanceTypeId"],
        "family": one["InstanceTypeFamily"],
        "cpuCoreCount": one["CpuCoreCount"],
        "memorySize": one["MemorySize"],
        "availabilityZones": zones,
        "eniAmount": one.get("EniQuantity"),
        "eniQuantity": one.get("EniQuantity"),
        "eniIpv6AddressQuantity": one.get("EniIpv6AddressQuantity"),
        "eniPrivateIpAddressQuantity": one.get("EniPrivateIpAddressQuantity"),
        "primaryEniQueueNumber": one.get("PrimaryEniQueueNumber"),
        "secondaryEniQueueNumber": one.get("SecondaryEniQueueNumber"),
        "maximumQueueNumberPerEni": one.get("MaximumQueueNumberPerEni"),
        "totalEniQueueQuantity": one.get("TotalEniQueueQuantity"),
        "nvmeSupport": one.get("NvmeSupport"),
        "price": "",
        "gpus": [{"amount": text("GPUAmount"), "category": one.get("GPUSpec") or ""}],
        "burstableInstances": [
            {"initialCredit": text("InitialCredit"), "baselineCredit": text("BaselineCredit")}
        ],
        "localStorages": [
            {
                "amount": text("LocalStorageAmount"),
                "capacity": text("LocalStorageCapacity"),
                "category": one.get("LocalStorageCategory") or "",
            }
        ],
    }


get_instance_types: Final = Lookup(
    "alicloud:ecs/getInstanceTypes:getInstanceTypes",
    "ecs",
    {
        "availabilityZone": _PLAIN,
        "cpuCoreCount": _PLAIN,
        "eniAmount": _PLAIN,
        "gpuAmount": _PLAIN,
        "gpuSpec": _PLAIN,
        "imageId": _PLAIN,
        "instanceChargeType": _PAYMENT,
        "instanceType": _PLAIN,
        "instanceTypeFamily": Property(valid=_ECS),
        "isOutdated": _PLAIN,
        "kubernetesNodeRole": Property(valid=one_of("Master", "Worker")),
        "memorySize": _PLAIN,
        "minimumEniIpv6AddressQuantity": _PLAIN,
        "minimumEniPrivateIpAddressQuantity": _PLAIN,
        "networkType": _NETWORK,
        "outputFile": _PLAIN,
        "sortedBy": Property(
            valid=lambda value: (
                None
                if value in ("CPU", "Memory")
                else "must be one of CPU, Memory; prices need the billing service, which is not served"
            )
        ),
        "spotStrategy": _SPOT,
        "systemDiskCategory": Property(
            valid=one_of(
                "cloud",
                "ephemeral_ssd",
                "cloud_essd",
                "cloud_efficiency",
                "cloud_ssd",
                "cloud_essd_entry",
                "cloud_auto",
            )
        ),
    },
    _instance_types,
    "instanceTypes",
)
