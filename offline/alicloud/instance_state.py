"""What an instance is, put together from what several actions tell of it."""

from __future__ import annotations

from typing import Any

from offline.alicloud.api import Answer
from offline.alicloud.disk import system_disk
from offline.alicloud.field import pick, tags_read
from offline.alicloud.instance_fields import SYSTEM_DISK
from offline.alicloud.power import ids
from offline.alicloud.work import Work
from offline.provider.resource import State

_PLAIN = {
    "cpu": "Cpu",
    "createTime": "CreationTime",
    "dedicatedHostId": "DedicatedHostAttribute.DedicatedHostId",
    "deploymentSetGroupNo": "DeploymentSetGroupNo",
    "deploymentSetId": "DeploymentSetId",
    "enableHighDensityMode": "AdditionalInfo.EnableHighDensityMode",
    "expiredTime": "ExpiredTime",
    "hpcClusterId": "HpcClusterId",
    "memory": "Memory",
    "osName": "OSName",
    "osType": "OSType",
    "spotDuration": "SpotDuration",
    "spotInterruptionBehavior": "SpotInterruptionBehavior",
    "spotPriceLimit": "SpotPriceLimit",
    "startTime": "StartTime",
    "vpcId": "VpcAttributes.VpcId",
}


def state_of(work: Work, id: str, answer: Answer) -> State:
    """What stands not in a table: `answer` is of DescribeInstances."""
    state = {name: pick(answer, path) for name, path in _PLAIN.items()}
    private = pick(answer, "VpcAttributes.PrivateIpAddress.IpAddress") or []
    public = pick(answer, "PublicIpAddress.IpAddress") or []
    processor = answer.get("CpuOptions") or {}
    return (
        state
        | {
            "autoReleaseTime": _with_seconds(answer.get("AutoReleaseTime") or ""),
            "cpuOptions": {
                "coreCount": processor.get("CoreCount"),
                "threadsPerCore": processor.get("ThreadsPerCore"),
                "topologyType": processor.get("TopologyType"),
            },
            "imageOptions": {"loginAsNonRoot": bool(pick(answer, "ImageOptions.LoginAsNonRoot"))},
            "privateIp": private[0] if private else "",
            "publicIp": public[0] if public else "",
            "roleName": _role(work, id),
            "userData": work("DescribeUserData", {"InstanceId": id}).get("UserData") or "",
        }
        | _disk(work, id)
        | _interface(work, answer)
        | _maintenance(work, id)
        | _attributes(work, id)
    )


def _with_seconds(time: str) -> str:
    return f"{time.removesuffix('Z')}:00Z" if time.count(":") == 1 else time


def _role(work: Work, id: str) -> str:
    answer = work("DescribeInstanceRamRole", {"InstanceIds": ids(id)})
    found = pick(answer, "InstanceRamRoleSets.InstanceRamRoleSet") or []
    return str(found[0].get("RamRoleName") or "") if found else ""


def _disk(work: Work, id: str) -> State:
    disk = system_disk(work, id)
    if disk is None:  # it may have been detached
        return {}
    return {name: disk.get(field) for name, field in SYSTEM_DISK.items()} | {
        "systemDiskAutoSnapshotPolicyId": disk.get("AutoSnapshotPolicyId"),
        "systemDiskBurstingEnabled": disk.get("BurstingEnabled"),
        "systemDiskId": disk.get("DiskId"),
        "systemDiskProvisionedIops": disk.get("ProvisionedIops"),
        "systemDiskStorageClusterId": disk.get("StorageClusterId"),
        "volumeTags": tags_read(pick(disk, "Tags.Tag")),
    }


def _interface(work: Work, answer: Answer) -> State:
    interfaces = pick(answer, "NetworkInterfaces.NetworkInterface") or []
    primary = next((one for one in interfaces if one.get("Type") == "Primary"), None)
    if primary is None:
        return {}
    asked = {"NetworkInterfaceId": [primary["NetworkInterfaceId"]]}
    found = pick(work("DescribeNetworkInterfaces", asked), "NetworkInterfaceSets.NetworkInterfaceSet") or [{}]
    one: dict[str, Any] = found[0]
    addresses = pick(one, "PrivateIpSets.PrivateIpSet") or []
    secondary = [each["PrivateIpAddress"] for each in addresses if not each.get("Primary")]
    ipv6 = [each["Ipv6Address"] for each in pick(one, "Ipv6Sets.Ipv6Set") or []]
    return {
        "ipv6AddressCount": len(ipv6),
        "ipv6Addresses": ipv6,
        "networkCardIndex": pick(one, "Attachment.NetworkCardIndex"),
        "networkInterfaceId": primary["NetworkInterfaceId"],
        "networkInterfaceTrafficMode": one.get("NetworkInterfaceTrafficMode"),
        "primaryIpAddress": primary.get("PrimaryIpAddress"),
        "queuePairNumber": one.get("QueuePairNumber"),
        "secondaryPrivateIpAddressCount": len(secondary),
        "secondaryPrivateIps": secondary,
        "sourceDestCheck": one.get("SourceDestCheck"),
    }


def _maintenance(work: Work, id: str) -> State:
    answer = work("DescribeInstanceMaintenanceAttributes", {"InstanceId": [id]})
    for one in pick(answer, "MaintenanceAttributes.MaintenanceAttribute") or []:
        windows = pick(one, "MaintenanceWindows.MaintenanceWindow") or []
        return {
            "maintenanceAction": pick(one, "ActionOnMaintenance.Value"),
            "maintenanceNotify": bool(one.get("NotifyOnMaintenance")),
            "maintenanceTime": {"startTime": windows[0]["StartTime"], "endTime": windows[0]["EndTime"]}
            if windows
            else None,
        }
    return {}


def _attributes(work: Work, id: str) -> State:
    network = work("DescribeInstanceAttribute", {"InstanceId": id})
    place = work("DescribeInstanceAttachmentAttributes", {"InstanceIds": ids(id)})
    held: Answer = next(iter(pick(place, "Instances.Instance") or []), {})
    return {
        "enableJumboFrame": network.get("EnableJumboFrame"),
        "enableNetworkEncryption": network.get("EnableNetworkEncryption"),
        "privatePoolOptionsId": held.get("PrivatePoolOptionsId"),
        "privatePoolOptionsMatchCriteria": held.get("PrivatePoolOptionsMatchCriteria"),
    }
