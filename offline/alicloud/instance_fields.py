"""The properties of an instance, after the official provider's schema."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from offline.alicloud.field import Property, between, length, matching, one_of, same_items
from offline.alicloud.lifecycle import TAGS
from offline.provider.resource import Field

CATEGORIES: Final = one_of(
    "cloud", "cloud_efficiency", "cloud_ssd", "cloud_essd", "cloud_auto", "cloud_essd_entry"
)
LEVELS: Final = one_of("PL0", "PL1", "PL2", "PL3")

_SUBSCRIPTION: Final = "only subscriptions have it, and this plugin serves instances that are paid by use"
_OFFICIAL: Final = "use the official alicloud plugin for it"
_ONE_INTERFACE: Final = f"an instance has its primary network interface only, as it comes; {_OFFICIAL}"
_TEMPLATES: Final = "launch templates are not served: give imageId, instanceType and the rest here"
_SPOT: Final = f"instances are billed at the normal price here, not at the spot market's; {_OFFICIAL}"
_KMS: Final = "the Key Management Service is not served: give `password` as a Pulumi secret"
_PLACE: Final = f"Alibaba Cloud chooses where an instance runs in its zone; {_OFFICIAL} for dedicated places"
_PROCESSOR: Final = f"an instance has its type's processors as they are: choose another type, or {_OFFICIAL}"
_BY_SIZE: Final = "what a disk does follows from its category, size and performance level"
_SNAPSHOTS: Final = "disks from snapshots are not served: use an EcsDisk of the official alicloud plugin"


def encoded(text: str) -> str:
    """User data as the API takes it. The official provider's rule: what is base64 already stays as it is,
    whatever was meant by it.
    """
    return text if _decoded(text) is not None else base64.b64encode(text.encode()).decode()


def spelled(answer: str, before: str) -> str:
    """User data of an answer, plain where it was given plain before."""
    raw = _decoded(answer)
    if raw is None or not before or _decoded(before) is not None:
        return answer
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return answer  # nothing that was given as text


def _decoded(text: str) -> bytes | None:
    try:
        # Go's decoder overlooks the ends of lines, and nothing else that is no base64.
        return base64.b64decode(text.replace("\r", "").replace("\n", ""), validate=True)
    except (ValueError, binascii.Error):
        return None


def same_user_data(old: Any, new: Any) -> bool:
    """Plain or base64, it is the same to the machine."""
    return encoded(str(old or "")) == encoded(str(new or ""))


def same(_old: Any, _new: Any) -> bool:
    """For what says how something is done, and is no property of the instance."""
    return True


def _same_time(old: Any, new: Any) -> bool:
    """Answers may leave the seconds out."""
    return bool(old) and bool(new) and str(new).startswith(str(old).rstrip(":0Z"))


def _only(allowed: Any, why: str) -> Property:
    """A property that has one value here; the official default, which states carry."""
    return Property(default=allowed, same=same, valid=lambda value: None if value == allowed else why)


DATA_DISK: Final[Mapping[str, Field]] = {
    "autoSnapshotPolicyId": Field(
        refused="make the disk an EcsDisk, and apply the policy with an EcsAutoSnapshotPolicyAttachment"
    ),
    "burstingEnabled": Field(refused=_BY_SIZE),
    "category": Property(replace=True, default="cloud_efficiency", valid=CATEGORIES),
    "deleteWithInstance": Property(replace=True, default=True),
    "description": Property(replace=True, valid=length(2, 256)),
    "device": Field(refused="disks get the next free name, in their order"),
    "encrypted": Property(replace=True, default=False),
    # Official: an update, which does nothing.
    "kmsKeyId": Property(replace=True),
    "name": Property(replace=True, valid=length(2, 128)),
    "performanceLevel": Property(replace=True, computed=True, valid=LEVELS),
    "provisionedIops": Field(refused=_BY_SIZE),
    "size": Property(replace=True),
    "snapshotId": Field(refused=_SNAPSHOTS),
}
DATA_DISK_PARAMETERS: Final = {
    "category": "Category",
    "deleteWithInstance": "DeleteWithInstance",
    "description": "Description",
    "encrypted": "Encrypted",
    "kmsKeyId": "KMSKeyId",
    "name": "DiskName",
    "performanceLevel": "PerformanceLevel",
    "size": "Size",
}
SYSTEM_DISK: Final = {
    # property: (parameter of RunInstances beneath SystemDisk, and where DescribeDisks has it)
    "systemDiskCategory": "Category",
    "systemDiskDescription": "Description",
    "systemDiskEncrypted": "Encrypted",
    "systemDiskKmsKeyId": "KMSKeyId",
    "systemDiskName": "DiskName",
    "systemDiskPerformanceLevel": "PerformanceLevel",
    "systemDiskSize": "Size",
}

FIELDS: Final[Mapping[str, Field]] = {
    "allocatePublicIp": Property(refused="deprecated and without effect: give internetMaxBandwidthOut"),
    "autoReleaseTime": Property(create="AutoReleaseTime", same=_same_time),
    "autoRenewPeriod": _only(1, _SUBSCRIPTION),
    "availabilityZone": Property(create="ZoneId", read="ZoneId", computed=True, replace=True),
    "cpuOptions": Property(refused=_PROCESSOR),
    "creditSpecification": Property(
        create="CreditSpecification",
        read="CreditSpecification",
        computed=True,
        valid=one_of("Standard", "Unlimited"),
    ),
    "dataDisks": Property(nested=DATA_DISK),
    "dedicatedHostId": Property(refused=_PLACE),
    "deletionProtection": Property(create="DeletionProtection", read="DeletionProtection", flag=True),
    "deploymentSetId": Property(refused=_PLACE),
    "description": Property(create="Description", read="Description", computed=True, valid=length(2, 256)),
    "dryRun": _only(False, "a dry run makes nothing to manage; use `pulumi preview`"),
    "enableHighDensityMode": Property(refused=_PROCESSOR),
    "enableJumboFrame": Property(refused=_ONE_INTERFACE),
    "enableNetworkEncryption": Property(refused=_ONE_INTERFACE),
    "forceDelete": Property(default=False, same=same),  # of subscriptions; others always go by force
    "hostName": Property(create="HostName", read="HostName", computed=True),
    "hpcClusterId": Property(refused=_PLACE),
    "httpEndpoint": Property(
        create="HttpEndpoint",
        read="MetadataOptions.HttpEndpoint",
        computed=True,
        valid=one_of("enabled", "disabled"),
    ),
    "httpPutResponseHopLimit": Property(
        create="HttpPutResponseHopLimit",
        read="MetadataOptions.HttpPutResponseHopLimit",
        computed=True,
        replace=True,
        valid=between(1, 64),
    ),
    "httpTokens": Property(
        create="HttpTokens",
        read="MetadataOptions.HttpTokens",
        computed=True,
        valid=one_of("optional", "required"),
    ),
    "imageId": Property(create="ImageId", read="ImageId", computed=True),
    "imageOptions": Property(refused="the image says as whom one logs in; choose another image"),
    "includeDataDisks": _only(True, _SUBSCRIPTION),
    "instanceChargeType": Property(
        create="InstanceChargeType",
        read="InstanceChargeType",
        computed=True,
        valid=lambda value: None if value == "PostPaid" else f"only PostPaid is served; {_OFFICIAL}",
    ),
    "instanceMetadataTags": Property(refused=f"the metadata tell no tags; {_OFFICIAL}"),
    "instanceName": Property(create="InstanceName", read="InstanceName", computed=True, valid=length(2, 128)),
    "instanceType": Property(
        create="InstanceType",
        read="InstanceType",
        computed=True,
        valid=matching(r"^ecs\..*", "must begin with 'ecs.'"),
    ),
    "internetChargeType": Property(
        create="InternetChargeType",
        read="InternetChargeType",
        computed=True,
        valid=one_of("PayByBandwidth", "PayByTraffic"),
    ),
    "internetMaxBandwidthIn": Property(
        create="InternetMaxBandwidthIn", read="InternetMaxBandwidthIn", computed=True
    ),
    "internetMaxBandwidthOut": Property(
        create="InternetMaxBandwidthOut", read="InternetMaxBandwidthOut", computed=True
    ),
    "ipv6AddressCount": Property(
        create="Ipv6AddressCount",
        computed=True,
        replace=True,
        conflicts=("ipv6Addresses",),
        valid=between(1, 10),
    ),
    "ipv6Addresses": Property(
        create="Ipv6Address",
        computed=True,
        unordered=True,
        same=same_items,
        conflicts=("ipv6AddressCount",),
    ),
    "isOutdated": Property(refused="such machines are not sold any more: choose a newer type"),
    "keyName": Property(create="KeyPairName", read="KeyPairName", computed=True),
    "kmsEncryptedPassword": Property(refused=_KMS),
    "kmsEncryptionContext": Property(refused=_KMS),
    "launchTemplateId": Property(refused=_TEMPLATES),
    "launchTemplateName": Property(refused=_TEMPLATES),
    "launchTemplateVersion": Property(refused=_TEMPLATES),
    "maintenanceAction": Property(computed=True, valid=one_of("Stop", "AutoRecover", "AutoRedeploy")),
    "maintenanceNotify": Property(),
    "maintenanceTime": Property(nested={"endTime": Property(), "startTime": Property()}),
    "networkCardIndex": Property(refused=_ONE_INTERFACE),
    "networkInterfaceId": Property(refused=_ONE_INTERFACE),
    "networkInterfaceTrafficMode": Property(refused=_ONE_INTERFACE),
    "networkInterfaces": Property(refused=_ONE_INTERFACE),
    "operatorType": Property(refused=_SUBSCRIPTION),
    "password": Property(create="Password", secret=True),
    "passwordInherit": Property(refused=f"give a key pair or a password; {_OFFICIAL}"),
    "period": Property(refused=_SUBSCRIPTION),
    "periodUnit": _only("Month", _SUBSCRIPTION),
    "privateIp": Property(create="PrivateIpAddress", computed=True),
    "privatePoolOptionsId": Property(refused=_PLACE),
    "privatePoolOptionsMatchCriteria": Property(refused=_PLACE),
    "queuePairNumber": Property(refused=_ONE_INTERFACE),
    "renewalStatus": _only("Normal", _SUBSCRIPTION),
    "resourceGroupId": Property(create="ResourceGroupId", read="ResourceGroupId", computed=True),
    "roleName": Property(create="RamRoleName", computed=True, deprecated=True),
    "secondaryPrivateIpAddressCount": Property(refused=_ONE_INTERFACE),
    "secondaryPrivateIps": Property(refused=_ONE_INTERFACE),
    "securityEnhancementStrategy": Property(
        create="SecurityEnhancementStrategy",
        computed=True,
        replace=True,
        valid=one_of("Active", "Deactive"),
    ),
    "securityGroups": Property(
        create="SecurityGroupIds",
        read="SecurityGroupIds.SecurityGroupId",
        computed=True,
        unordered=True,
        same=same_items,
    ),
    "sourceDestCheck": Property(refused=_ONE_INTERFACE),
    "spotDuration": Property(refused=_SPOT),
    "spotInterruptionBehavior": Property(refused=_SPOT),
    "spotPriceLimit": Property(refused=_SPOT),
    "spotStrategy": Property(
        create="SpotStrategy",
        read="SpotStrategy",
        computed=True,
        replace=True,
        valid=lambda value: None if value == "NoSpot" else _SPOT,
    ),
    "status": Property(read="Status", computed=True, valid=one_of("Running", "Stopped")),
    "stoppedMode": Property(
        read="StoppedMode",
        computed=True,
        same=same,  # it says how the next stop goes
        valid=one_of("StopCharging", "KeepCharging", "Not-applicable"),
    ),
    "systemDiskAutoSnapshotPolicyId": Property(computed=True),
    "systemDiskBurstingEnabled": Property(refused=_BY_SIZE),
    "systemDiskCategory": Property(computed=True, replace=True, valid=CATEGORIES),
    "systemDiskDescription": Property(computed=True, valid=length(2, 256)),
    "systemDiskEncryptAlgorithm": Property(refused="disks are encrypted with AES-256; leave it out"),
    "systemDiskEncrypted": Property(computed=True, replace=True, flag=True),
    "systemDiskKmsKeyId": Property(computed=True, replace=True),
    "systemDiskName": Property(computed=True, valid=length(2, 128)),
    "systemDiskPerformanceLevel": Property(computed=True, valid=LEVELS),
    "systemDiskProvisionedIops": Property(refused=_BY_SIZE),
    "systemDiskSize": Property(computed=True),
    "systemDiskStorageClusterId": Property(refused=_PLACE),
    "tags": TAGS,
    "userData": Property(create="UserData", same=same_user_data),
    "volumeTags": Property(computed=True),
    "vpcId": Property(refused="the vSwitch says in which VPC: give vswitchId"),
    "vswitchId": Property(create="VSwitchId", read="VpcAttributes.VSwitchId", computed=True),
}
