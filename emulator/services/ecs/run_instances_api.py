"""RunInstances: what it takes, and its checks against what else there is."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal

from pydantic import Field

from emulator.api.call import NO_URL, Answer, Call, Parameters, Request, Says, Tag
from emulator.api.errors import ApiError, missing_parameter
from emulator.images import images
from emulator.instance_types import instance_types
from emulator.services.ecs import disks, instances, key_pairs, security_groups, snapshots
from emulator.services.ecs.instance_roles import must_serve
from emulator.services.ecs.instances import DiskOrder, Order
from emulator.services.ecs.service import ECS
from emulator.services.vpc import vswitches
from emulator.services.vpc.vpcs import DEFAULT_GROUP
from emulator.tags import checked

Category = Annotated[
    Literal["cloud_essd", "cloud_auto", "cloud_essd_entry", "cloud_ssd", "cloud_efficiency", "cloud"],
    Says("InvalidDiskCategory.ValueNotSupported", "The specified disk category is not supported."),
]
Level = Literal["", "PL0", "PL1", "PL2", "PL3"]
Name = Annotated[
    str,
    Field(max_length=128),
    NO_URL,
    Says("InvalidInstanceName.Malformed", "The specified parameter InstanceName is not valid."),
]
Description = Annotated[
    str,
    Field(max_length=256),
    NO_URL,
    Says("InvalidDescription.Malformed", "The specified parameter Description is not valid."),
]
HostName = Annotated[
    str,
    Field(max_length=64, pattern=r"^([A-Za-z0-9]([A-Za-z0-9.\-\[\],]*[A-Za-z0-9\]])?)?$"),
    Says("InvalidHostName.Malformed", "The specified parameter HostName is not valid."),
]


class SystemDisk(Parameters):
    category: Category = "cloud_essd"
    size: Annotated[int, Field(ge=20, le=2048)] | None = None
    """GiB; without it what the image needs, and at least 40."""
    disk_name: str = ""
    description: Description = ""
    performance_level: Level = ""
    encrypted: bool = False
    kms_key_id: Annotated[str, Field(alias="KMSKeyId")] = ""


class DataDisk(Parameters):
    category: Category = "cloud_essd"
    size: int | None = None
    snapshot_id: str = ""
    """What it is made of; it is as large then, unless a larger size is given."""
    disk_name: str = ""
    description: Description = ""
    performance_level: Level = ""
    encrypted: bool = False
    kms_key_id: Annotated[str, Field(alias="KMSKeyId")] = ""
    delete_with_instance: bool = True


class RunInstances(Request):
    instance_type: str
    image_id: str = ""
    vswitch_id: str = ""
    zone_id: str = ""
    security_group_id: str = ""
    security_group_ids: Annotated[tuple[str, ...], Field(max_length=5)] = ()
    amount: Annotated[int, Field(ge=1, le=100)] = 1
    min_amount: Annotated[int, Field(ge=1, le=100)] | None = None
    instance_name: Name = ""
    description: Description = ""
    host_name: HostName = ""
    private_ip_address: IPv4Address | None = None
    ipv6_address: Annotated[tuple[IPv6Address, ...], Field(max_length=1)] = ()
    ipv6_address_count: Annotated[int, Field(ge=0, le=1)] = 0
    key_pair_name: str = ""
    password: Annotated[str, Field(repr=False)] = ""
    user_data: Annotated[str, Field(repr=False)] = ""
    ram_role_name: str = ""
    resource_group_id: str = ""
    internet_charge_type: Literal["PayByTraffic", "PayByBandwidth"] = "PayByTraffic"
    internet_max_bandwidth_in: Annotated[int, Field(ge=1, le=200)] = 200
    internet_max_bandwidth_out: Annotated[int, Field(ge=0, le=100)] = 0
    instance_charge_type: Literal["PostPaid"] = "PostPaid"
    spot_strategy: Literal["NoSpot"] = "NoSpot"
    io_optimized: Literal["optimized"] = "optimized"
    deletion_protection: bool = False
    credit_specification: Literal["", "Standard", "Unlimited"] = ""
    security_enhancement_strategy: Literal["", "Active", "Deactive"] = ""
    http_endpoint: Literal["enabled", "disabled"] = "enabled"
    http_tokens: Literal["optional", "required"] = "optional"
    http_put_response_hop_limit: Annotated[int, Field(ge=1, le=64)] = 1
    auto_release_time: str = ""
    system_disk: SystemDisk = SystemDisk()
    data_disk: Annotated[tuple[DataDisk, ...], Field(max_length=16)] = ()
    tag: tuple[Tag, ...] = ()


@ECS.action
def run_instances(call: Call, given: RunInstances) -> Answer:
    cloud = call.cloud
    if given.instance_type not in instance_types():
        raise ApiError(
            404,
            "InvalidInstanceType.ValueNotSupported",
            "The specified InstanceType does not exist or is beyond the permitted range. "
            f"({given.instance_type})",
        )
    if not given.image_id:
        raise missing_parameter("ImageId")
    if (image := images().get(given.image_id)) is None:
        raise ApiError(404, "InvalidImageId.NotFound", "The specified ImageId does not exist.")
    if not given.vswitch_id:
        raise missing_parameter("VSwitchId")
    vswitch = vswitches.find(cloud, call.region, given.vswitch_id)
    if given.zone_id not in ("", vswitch.zone):
        raise ApiError(400, "InvalidParameter.NotMatch", "The VSwitchId and the ZoneId do not match.")
    if bool(given.security_group_id) == bool(given.security_group_ids):
        if given.security_group_id:
            raise ApiError(
                400, "InvalidParameter.Conflict", "SecurityGroupId and SecurityGroupIds exclude each other."
            )
        raise missing_parameter("SecurityGroupId")
    groups = given.security_group_ids or (given.security_group_id,)
    for group in groups:
        if security_groups.find(cloud, call.region, group).vpc != vswitch.vpc:
            raise ApiError(
                403,
                "InvalidSecurityGroupId.VPCMismatch",
                "The specified security group and the specified virtual switch are not in the same VPC.",
            )
    if given.key_pair_name:
        key_pairs.find(cloud, call.region, given.key_pair_name)
    if given.ram_role_name:
        must_serve(cloud, given.ram_role_name)
    if given.amount > 1 and (given.private_ip_address or given.ipv6_address):
        raise ApiError(400, "InvalidParameter.Conflict", "An address can be given to one instance only.")
    system = given.system_disk
    size = max(system.size or 40, image.gib)
    order = Order(
        name=given.instance_name,
        description=given.description,
        host_name=given.host_name,
        type=given.instance_type,
        image=image.id,
        groups=groups,
        address=given.private_ip_address,
        ipv6=given.ipv6_address,
        ipv6_count=given.ipv6_address_count,
        key_pair=given.key_pair_name,
        password=instances.checked_password(given.password),
        user_data=instances.checked_user_data(given.user_data),
        role=given.ram_role_name,
        resource_group=given.resource_group_id or DEFAULT_GROUP,
        bandwidth_in=given.internet_max_bandwidth_in,
        bandwidth_out=given.internet_max_bandwidth_out,
        internet_charge=given.internet_charge_type,
        protected=given.deletion_protection,
        credit=given.credit_specification,
        http_endpoint=given.http_endpoint,
        http_tokens=given.http_tokens,
        hop_limit=given.http_put_response_hop_limit,
        enhanced=given.security_enhancement_strategy == "Active",
        auto_release=given.auto_release_time,
        tags=checked(given.tag),
        system_disk=DiskOrder(
            category=system.category,
            size=size,
            name=system.disk_name,
            description=system.description,
            performance=disks.checked(system.category, size, system.performance_level),
            encrypted=system.encrypted,
            kms_key=system.kms_key_id,
            with_instance=True,
        ),
        data_disks=tuple(_data_disk(call, data, at) for at, data in enumerate(given.data_disk, 1)),
    )
    instances.must_have_login(order)
    made = [instances.create(call, vswitch, order, number) for number in range(given.amount)]
    return {"InstanceIdSets": {"InstanceIdSet": [one.id for one in made]}}


def _data_disk(call: Call, data: DataDisk, at: int) -> DiskOrder:
    size = snapshots.disk_size(call.cloud, call.region, data.snapshot_id, data.size, f"DataDisk.{at}.Size")
    return DiskOrder(
        category=data.category,
        size=size,
        snapshot=data.snapshot_id,
        name=data.disk_name,
        description=data.description,
        performance=disks.checked(data.category, size, data.performance_level),
        encrypted=data.encrypted,
        kms_key=data.kms_key_id,
        with_instance=data.delete_with_instance,
    )
