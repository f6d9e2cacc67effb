"""Actions on elastic IP addresses."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

from pydantic import Field

from emulator.api.call import NO_URL, Answer, Call, Request, Says, Tag
from emulator.api.errors import not_served
from emulator.api.paging import Numbered, numbered
from emulator.services.vpc import eips
from emulator.services.vpc.model import Eip
from emulator.services.vpc.service import VPC
from emulator.services.vpc.vpcs_api import Description
from emulator.tags import checked, match, shaped
from emulator.times import seconds_utc

Name = Annotated[
    str, Field(max_length=128), NO_URL, Says("InvalidName.Malformed", "Specified Name is not valid.")
]
Bandwidth = Annotated[
    int,
    Says("InvalidBandwidth.ValueNotSupported", "The specified value of Bandwidth is not supported."),
]
ChargeType = Annotated[
    Literal["PostPaid"],
    Says(
        "InvalidInstanceChargeType.ValueNotSupported",
        "The specified value of InstanceChargeType is not supported: here nothing is paid in advance.",
    ),
]
InternetChargeType = Annotated[
    Literal["PayByBandwidth", "PayByTraffic"],
    Says(
        "InvalidInternetChargeType.ValueNotSupported",
        "The specified value of InternetChargeType is not supported.",
    ),
]
Isp = Annotated[
    Literal[
        "BGP",
        "BGP_PRO",
        "ChinaTelecom",
        "ChinaUnicom",
        "ChinaMobile",
        "ChinaTelecom_L2",
        "ChinaUnicom_L2",
        "ChinaMobile_L2",
        "BGP_FinanceCloud",
        "BGP_International",
    ],
    Field(alias="ISP"),
    Says("InvalidIspType.ValueNotSupported", "The specified ISP is not supported."),
]

Private = Annotated[
    IPv4Address | None,
    Says("InvalidPrivateIpAddress.Malformed", "Specified private IP address is malformed."),
]
Mode = Annotated[
    Literal["NAT"],
    Says("InvalidMode.ValueNotSupported", "The specified value of Mode is not supported."),
]
"""How packets come to the holder: with its private address, as everything here."""


class AllocateEipAddress(Request):
    bandwidth: Bandwidth = 5
    instance_charge_type: ChargeType = "PostPaid"
    internet_charge_type: InternetChargeType = "PayByBandwidth"
    isp: Isp = "BGP"
    instance_id: Literal[""] = ""
    """Of an address that was reserved before; the official provider sends it empty."""
    name: Name = ""
    description: Description = ""
    netmode: Literal["public"] = "public"
    resource_group_id: str = ""
    auto_pay: bool = False
    """Of what is paid in advance; without a meaning for the rest."""
    tag: tuple[Tag, ...] = ()


@VPC.action
def allocate_eip_address(call: Call, given: AllocateEipAddress) -> Answer:
    eip = eips.allocate(
        call,
        bandwidth=given.bandwidth,
        internet_charge=given.internet_charge_type,
        isp=given.isp,
        name=given.name,
        description=given.description,
        resource_group=given.resource_group_id,
        tags=checked(given.tag),
    )
    return {"AllocationId": eip.id, "EipAddress": str(eip.address), "ResourceGroupId": eip.resource_group}


class DescribeEipAddresses(Numbered):
    page_size: Annotated[int, Field(ge=1, le=100)] = 10
    allocation_id: Annotated[str, Field(max_length=2000)] = ""
    """One id, or several with commas between."""
    eip_address: Annotated[str, Field(max_length=2000)] = ""
    """As the ids."""
    eip_name: str = ""
    status: Literal["", "Associating", "Unassociating", "InUse", "Available", "Releasing"] = ""
    isp: Annotated[str, Field(alias="ISP")] = ""
    associated_instance_id: str = ""
    associated_instance_type: str = ""
    charge_type: Literal["", "PostPaid", "PrePaid"] = ""
    resource_group_id: str = ""
    tag: tuple[Tag, ...] = ()


@VPC.action
def describe_eip_addresses(call: Call, given: DescribeEipAddresses) -> Answer:
    ids = given.allocation_id.split(",") if given.allocation_id else None
    addresses = given.eip_address.split(",") if given.eip_address else None
    found = [
        eip
        for eip in call.cloud.store.all(Eip, call.region)
        if (ids is None or eip.id in ids)
        and (addresses is None or str(eip.address) in addresses)
        and given.eip_name in ("", eip.name)
        and given.status in ("", eip.status(call.now))
        and given.isp in ("", eip.isp)
        and given.associated_instance_id in ("", eip.instance)
        and (not given.associated_instance_type or _kind(call, eip) == given.associated_instance_type)
        and given.charge_type != "PrePaid"
        and given.resource_group_id in ("", eip.resource_group)
        and match(eip.tags, given.tag)
    ]
    part, counts = numbered(given, found)
    return counts | {"EipAddresses": {"EipAddress": [_shape(call, eip) for eip in part]}}


class ModifyEipAddressAttribute(Request):
    allocation_id: str
    bandwidth: Bandwidth | None = None
    name: Name | None = None
    description: Description | None = None


@VPC.action
def modify_eip_address_attribute(call: Call, given: ModifyEipAddressAttribute) -> Answer:
    eip = eips.find(call.cloud, call.region, given.allocation_id)
    eips.modify(call, eip, bandwidth=given.bandwidth, name=given.name, description=given.description)
    return {}


class AssociateEipAddress(Request):
    allocation_id: str
    instance_id: str
    instance_type: str = "EcsInstance"
    instance_region_id: str = ""
    private_ip_address: Private = None
    mode: Mode = "NAT"
    vpc_id: str = ""


@VPC.action
def associate_eip_address(call: Call, given: AssociateEipAddress) -> Answer:
    if given.instance_region_id not in ("", call.region):
        raise not_served(call.action, "InstanceRegionId")
    eip = eips.find(call.cloud, call.region, given.allocation_id)
    eips.associate(
        call,
        eip,
        kind=given.instance_type,
        holder=given.instance_id,
        vpc=given.vpc_id,
        private=given.private_ip_address,
    )
    return {}


class ModifyEipForwardMode(Request):
    instance_id: str
    mode: Mode


@VPC.action
def modify_eip_forward_mode(call: Call, given: ModifyEipForwardMode) -> Answer:
    """There is one mode here, and so nothing to change."""
    eips.find(call.cloud, call.region, given.instance_id)
    return {}


class UnassociateEipAddress(Request):
    allocation_id: str
    instance_id: str = ""
    instance_type: str = ""
    private_ip_address: Private = None
    force: bool = False
    """Of NAT gateways whose entries use the address: there are none here."""


@VPC.action
def unassociate_eip_address(call: Call, given: UnassociateEipAddress) -> Answer:
    eip = eips.find(call.cloud, call.region, given.allocation_id)
    eips.unassociate(
        call,
        eip,
        holder=given.instance_id,
        kind=given.instance_type,
        private=given.private_ip_address,
    )
    return {}


class ReleaseEipAddress(Request):
    allocation_id: str


@VPC.action
def release_eip_address(call: Call, given: ReleaseEipAddress) -> Answer:
    eips.release(call, eips.find(call.cloud, call.region, given.allocation_id))
    return {}


class DeletionProtection(Request):
    instance_id: str
    type: Literal["EIP"]
    protection_enable: bool


@VPC.action
def deletion_protection(call: Call, given: DeletionProtection) -> Answer:
    eips.protect(call, eips.find(call.cloud, call.region, given.instance_id), given.protection_enable)
    return {}


def _kind(call: Call, eip: Eip) -> str:
    return "" if eip.status(call.now) == "Available" else eip.instance_type


def _shape(call: Call, eip: Eip) -> dict[str, Any]:
    status = eip.status(call.now)
    holder = eip.left if status == "Unassociating" else eip.instance
    return {
        "AllocationId": eip.id,
        "AllocationTime": seconds_utc(eip.created),
        "Bandwidth": str(eip.bandwidth),
        "EipBandwidth": str(eip.bandwidth),
        "BandwidthPackageBandwidth": "",
        "BandwidthPackageId": "",
        "BandwidthPackageType": "",
        "BizType": "",
        "BusinessStatus": "Normal",
        "ChargeType": "PostPaid",
        "DeletionProtection": eip.protected,
        "Description": eip.description,
        "ExpiredTime": "",
        "HDMonitorStatus": "OFF",
        "HasReservationData": "false",
        "ISP": eip.isp,
        "InstanceId": holder,
        "InstanceRegionId": eip.region if holder else "",
        "InstanceType": eip.instance_type if holder else "",
        "InternetChargeType": eip.internet_charge,
        "IpAddress": str(eip.address),
        "Mode": "NAT" if holder else "",
        "Name": eip.name,
        "Netmode": "public",
        "OperationLocks": {"LockReason": []},
        "PrivateIpAddress": str(eip.private or ""),
        "PublicIpAddressPoolId": "",
        "RegionId": eip.region,
        "ResourceGroupId": eip.resource_group,
        "SecondLimited": False,
        "SecurityProtectionTypes": {"SecurityProtectionType": []},
        "SegmentInstanceId": "",
        "ServiceManaged": 0,
        "Status": status,
        "Tags": shaped(eip.tags),
        "VpcId": eip.vpc,
        "Zone": "",
    }
