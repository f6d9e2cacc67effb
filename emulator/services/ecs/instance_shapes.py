"""How an instance is answered: as one of many, and alone."""

from __future__ import annotations

from typing import Any

from emulator.api.call import Call
from emulator.images import images
from emulator.instance_types import instance_types
from emulator.services.ecs.model_instances import Instance
from emulator.services.vpc import eips
from emulator.tags import shaped
from emulator.times import minutes_utc

NEVER = "2099-12-31T15:59Z"
"""When an instance expires that is paid for afterwards."""


def listed(call: Call, one: Instance) -> dict[str, Any]:
    """In DescribeInstances."""
    kind, image = instance_types()[one.type], images()[one.image]
    return _common(call, one) | {
        "AutoReleaseTime": one.auto_release,
        "Cpu": kind.vcpus,
        "Memory": int(kind.gib * 1024),
        "CpuOptions": {
            "CoreCount": max(1, kind.vcpus // 2),
            "ThreadsPerCore": min(2, kind.vcpus),
            "Numa": "",
            "TopologyType": "DiscreteCoreToHTMapping",
        },
        "DedicatedInstanceAttribute": {"Affinity": "", "Tenancy": ""},
        "DeletionProtection": one.protected,
        "DeploymentSetId": "",
        "DeviceAvailable": True,
        "EcsCapacityReservationAttr": {"CapacityReservationId": "", "CapacityReservationPreference": ""},
        "GPUAmount": kind.gpus,
        "GPUSpec": kind.family.gpu,
        "HibernationOptions": {"Configured": False},
        "HpcClusterId": "",
        "ImageOptions": {"LoginAsNonRoot": False},
        "AdditionalInfo": {"EnableHighDensityMode": False},
        "InstanceTypeFamily": kind.family.id,
        "KeyPairName": one.key_pair,
        "LocalStorageCapacity": 0,
        "MetadataOptions": {
            "HttpEndpoint": one.http_endpoint,
            "HttpTokens": one.http_tokens,
            "HttpPutResponseHopLimit": one.hop_limit,
        },
        "NetworkInterfaces": {
            "NetworkInterface": [
                {
                    "NetworkInterfaceId": one.eni,
                    "MacAddress": one.mac,
                    "PrimaryIpAddress": str(one.address),
                    "Type": "Primary",
                    "PrivateIpSets": {
                        "PrivateIpSet": [{"Primary": True, "PrivateIpAddress": str(one.address)}]
                    },
                    "Ipv6Sets": {"Ipv6Set": [{"Ipv6Address": str(address)} for address in one.ipv6]},
                }
            ]
        },
        "OSName": image.os_name,
        "OSNameEn": image.name_en,
        "OSType": "linux",
        "RdmaIpAddress": {"IpAddress": []},
        "Recyclable": False,
        "ResourceGroupId": one.resource_group,
        "SaleCycle": "",
        "SpotDuration": 0,
        "SpotPriceLimit": 0.0,
        "SpotStrategy": "NoSpot",
        "StartTime": minutes_utc(one.started) if one.started else "",
        "Tags": shaped(one.tags, key="TagKey", value="TagValue"),
    }


def alone(call: Call, one: Instance) -> dict[str, Any]:
    """In DescribeInstanceAttribute."""
    kind = instance_types()[one.type]
    return _common(call, one) | {
        "Cpu": kind.vcpus,
        "Memory": int(kind.gib * 1024),
        "IoOptimized": "optimized",
        "EnableJumboFrame": False,
        "EnableNetworkEncryption": False,
    }


def _common(call: Call, one: Instance) -> dict[str, Any]:
    eip = eips.of(call.cloud, one.id)
    return {
        "InstanceId": one.id,
        "InstanceName": one.name,
        "Description": one.description,
        "RegionId": one.region,
        "ZoneId": one.zone,
        "ClusterId": "",
        "Status": one.status,
        "CreationTime": minutes_utc(one.created),
        "ExpiredTime": NEVER,
        "InstanceType": one.type,
        "ImageId": one.image,
        "HostName": one.host_name,
        "SerialNumber": one.eni.removeprefix("eni-"),
        "InstanceChargeType": "PostPaid",
        "InstanceNetworkType": "vpc",
        "IoOptimized": True,
        "InternetChargeType": one.internet_charge,
        "InternetMaxBandwidthIn": one.bandwidth_in,
        "InternetMaxBandwidthOut": one.bandwidth_out,
        "CreditSpecification": one.credit,
        "StoppedMode": one.stopped_mode,
        "VlanId": "",
        "SecurityGroupIds": {"SecurityGroupId": list(one.groups)},
        "OperationLocks": {"LockReason": []},
        "PublicIpAddress": {"IpAddress": [str(one.public)] if one.public else []},
        "InnerIpAddress": {"IpAddress": []},
        "EipAddress": {
            "AllocationId": eip.id if eip else "",
            "IpAddress": str(eip.address) if eip else "",
            "Bandwidth": eip.bandwidth if eip else 0,
            "InternetChargeType": eip.internet_charge if eip else "",
        },
        "DedicatedHostAttribute": {"DedicatedHostId": "", "DedicatedHostName": ""},
        "VpcAttributes": {
            "VpcId": one.vpc,
            "VSwitchId": one.vswitch,
            "NatIpAddress": "",
            "PrivateIpAddress": {"IpAddress": [str(one.address)]},
        },
    }
