"""The function that finds instances."""

from __future__ import annotations

import re
from typing import Any, Final

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, one_of, pick, tags_read, tags_sent
from offline.alicloud.images import is_pattern
from offline.alicloud.lookup import Arguments, Found, Lookup, listed
from offline.alicloud.power import ids
from offline.alicloud.work import Work

_PLAIN: Final = Property()
_PAGE: Final = 100
_ROLES: Final = 50  # an answer has no more of them
_INSTANCE: Final = {
    "availabilityZone": "ZoneId",
    "creationTime": "CreationTime",
    "description": "Description",
    "eip": "EipAddress.IpAddress",
    "id": "InstanceId",
    "imageId": "ImageId",
    "instanceChargeType": "InstanceChargeType",
    "instanceType": "InstanceType",
    "internetChargeType": "InternetChargeType",
    "internetMaxBandwidthOut": "InternetMaxBandwidthOut",
    "keyName": "KeyPairName",
    "name": "InstanceName",
    "regionId": "RegionId",
    "resourceGroupId": "ResourceGroupId",
    "securityGroups": "SecurityGroupIds.SecurityGroupId",
    "spotStrategy": "SpotStrategy",
    "status": "Status",
    "vpcId": "VpcAttributes.VpcId",
    "vswitchId": "VpcAttributes.VSwitchId",
}
_DISK: Final = {
    "category": "Category",
    "device": "Device",
    "diskId": "DiskId",
    "diskName": "DiskName",
    "size": "Size",
    "type": "Type",
}


def _instances(work: Work, given: Arguments) -> Found:
    found, total = _described(work, given)
    if pattern := given.get("nameRegex"):
        wanted = re.compile(pattern)
        found = [one for one in found if wanted.search(one["InstanceName"])]
    if image := given.get("imageId"):
        found = [one for one in found if one["ImageId"] == image]
    roles: dict[str, str] = {}
    disks: dict[str, list[dict[str, Any]]] = {}
    if given.get("enableDetails"):
        roles = _roles(work, given, [one["InstanceId"] for one in found])
        disks = _disks(work)
    if role := given.get("ramRoleName"):
        # The official provider takes no notice of it without the details.
        roles = roles or _roles(work, given, [one["InstanceId"] for one in found])
        found = [one for one in found if roles.get(one["InstanceId"]) == role]
    instances = [_instance(one, roles, disks) for one in found]
    names = [one["name"] for one in instances]
    return [one["id"] for one in instances], {"instances": instances, "names": names, "totalCount": total}


def _described(work: Work, given: Arguments) -> tuple[list[Answer], int]:
    """Those that the API finds, and how many these are without the page that was asked for."""
    arguments = get_instances.arguments
    asked: dict[str, Any] = {
        one.create: given[name] for name, one in arguments.items() if one.create and given.get(name)
    }
    if given.get("ids"):
        asked["InstanceIds"] = ids(*given["ids"])
    if given.get("tags"):
        asked["Tag"] = tags_sent(given["tags"])
    if given.get("pageNumber") and given.get("pageSize"):
        answer = work(
            "DescribeInstances",
            {**asked, "PageNumber": given["pageNumber"], "PageSize": given["pageSize"]},
        )
        return listed(answer, "Instances.Instance"), int(answer.get("TotalCount") or 0)
    found = _all(work, "DescribeInstances", "Instances.Instance", asked)
    return found, len(found)


def _all(work: Work, action: str, path: str, asked: dict[str, Any]) -> list[Answer]:
    found: list[Answer] = []
    page = 1
    while True:
        part = listed(work(action, {**asked, "PageNumber": page, "PageSize": _PAGE}), path)
        found += part
        if len(part) < _PAGE:
            return found
        page += 1


def _roles(work: Work, given: Arguments, names: list[str]) -> dict[str, str]:
    found: list[Answer] = []
    for i in range(0, len(names), _ROLES):
        asked = {"InstanceIds": ids(*names[i : i + _ROLES])}
        if role := given.get("ramRoleName"):
            asked["RamRoleName"] = role
        path = "InstanceRamRoleSets.InstanceRamRoleSet"
        found += listed(work("DescribeInstanceRamRole", {**asked, "PageSize": _ROLES}), path)
    return {str(one["InstanceId"]): str(one.get("RamRoleName") or "") for one in found}


def _disks(work: Work) -> dict[str, list[dict[str, Any]]]:
    """By instance."""
    held: dict[str, list[dict[str, Any]]] = {}
    for disk in _all(work, "DescribeDisks", "Disks.Disk", {}):
        held.setdefault(str(disk.get("InstanceId")), []).append(
            {name: disk.get(field) for name, field in _DISK.items()}
        )
    return held


def _instance(one: Answer, roles: dict[str, str], disks: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    inner = listed(one, "InnerIpAddress.IpAddress") or listed(one, "VpcAttributes.PrivateIpAddress.IpAddress")
    public = listed(one, "PublicIpAddress.IpAddress") or [pick(one, "EipAddress.IpAddress")]
    return {name: pick(one, path) for name, path in _INSTANCE.items()} | {
        "diskDeviceMappings": disks.get(one["InstanceId"], []),
        "privateIp": inner[0] if inner else "",
        "publicIp": public[0] or "",
        "ramRoleName": roles.get(one["InstanceId"], ""),
        "tags": tags_read(listed(one, "Tags.Tag")),
    }


get_instances: Final = Lookup(
    "alicloud:ecs/getInstances:getInstances",
    "ecs",
    {
        "availabilityZone": Property(create="ZoneId"),
        "enableDetails": Property(default=True),
        "ids": _PLAIN,
        "imageId": _PLAIN,
        "instanceName": Property(create="InstanceName"),
        "nameRegex": Property(valid=is_pattern),
        "outputFile": _PLAIN,
        "pageNumber": _PLAIN,
        "pageSize": _PLAIN,
        "ramRoleName": _PLAIN,
        "resourceGroupId": Property(create="ResourceGroupId"),
        "status": Property(
            create="Status", valid=one_of("Running", "Stopped", "Creating", "Starting", "Stopping")
        ),
        "tags": _PLAIN,
        "vpcId": Property(create="VpcId"),
        "vswitchId": Property(create="VSwitchId"),
    },
    _instances,
    "instances",
)
