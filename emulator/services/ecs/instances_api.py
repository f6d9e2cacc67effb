"""Actions on instances that are there."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from emulator.api.call import Answer, Call, JsonList, Parameters, Request, Says, Tag
from emulator.api.errors import ApiError
from emulator.api.paging import Either, either, numbered
from emulator.services.ecs import instances, key_pairs, security_groups
from emulator.services.ecs.instance_shapes import alone, listed
from emulator.services.ecs.model_groups import SecurityGroup
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.run_instances_api import Description, HostName, Name
from emulator.services.ecs.service import ECS
from emulator.services.vpc import eips
from emulator.services.vpc.eips import Holder
from emulator.tags import match
from emulator.times import seconds_utc

Status = Literal["", "Pending", "Starting", "Running", "Stopping", "Stopped"]


class OnInstance(Request):
    """An action on one instance, which is found in whatever region it is."""

    regional: ClassVar[bool] = False
    instance_id: str


def _found(call: Call, given: OnInstance) -> Instance:
    return instances.find(call.cloud, call.region, given.instance_id)


class DescribeInstances(Either):
    instance_ids: JsonList | None = None
    instance_name: str = ""
    """With `*` for any text."""
    vpc_id: str = ""
    vswitch_id: str = ""
    zone_id: str = ""
    security_group_id: str = ""
    image_id: str = ""
    instance_type: str = ""
    instance_type_family: str = ""
    instance_charge_type: Literal["", "PostPaid", "PrePaid"] = ""
    instance_network_type: Literal["", "vpc", "classic"] = ""
    internet_charge_type: str = ""
    key_pair_name: str = ""
    resource_group_id: str = ""
    private_ip_addresses: JsonList = ()
    public_ip_addresses: JsonList = ()
    eip_addresses: JsonList = ()
    status: Status = ""
    tag: tuple[Tag, ...] = ()
    additional_attributes: tuple[str, ...] = ()
    """Every attribute is answered, asked for or not."""


@ECS.action
def describe_instances(call: Call, given: DescribeInstances) -> Answer:
    found = [
        one
        for one in call.cloud.store.all(Instance, call.region)
        if (given.instance_ids is None or one.id in given.instance_ids)
        and _named(given.instance_name, one.name)
        and given.vpc_id in ("", one.vpc)
        and given.vswitch_id in ("", one.vswitch)
        and given.zone_id in ("", one.zone)
        and (not given.security_group_id or given.security_group_id in one.groups)
        and given.image_id in ("", one.image)
        and given.instance_type in ("", one.type)
        and given.instance_type_family in ("", one.type.rpartition(".")[0])
        and given.instance_charge_type in ("", "PostPaid")
        and given.instance_network_type in ("", "vpc")
        and given.internet_charge_type in ("", one.internet_charge)
        and given.key_pair_name in ("", one.key_pair)
        and given.resource_group_id in ("", one.resource_group)
        and given.status in ("", one.status)
        and (not given.private_ip_addresses or str(one.address) in given.private_ip_addresses)
        and (not given.public_ip_addresses or str(one.public) in given.public_ip_addresses)
        and (not given.eip_addresses or _eip(call, one) in given.eip_addresses)
        and match(one.tags, given.tag)
    ]
    part, said = either(given, found)
    return said | {"Instances": {"Instance": [listed(call, one) for one in part]}}


def _named(wanted: str, name: str) -> bool:
    if "*" not in wanted:
        return wanted in ("", name)
    head, _, tail = wanted.partition("*")
    return name.startswith(head) and name.endswith(tail.lstrip("*")) and len(name) >= len(wanted) - 1


def _eip(call: Call, one: Instance) -> str:
    eip = eips.of(call.cloud, one.id)
    return str(eip.address) if eip else ""


class DescribeInstanceAttribute(OnInstance):
    pass


@ECS.action
def describe_instance_attribute(call: Call, given: DescribeInstanceAttribute) -> Answer:
    return alone(call, _found(call, given))


class DescribeInstanceStatus(Either):
    instance_id: tuple[str, ...] = ()
    zone_id: str = ""


@ECS.action
def describe_instance_status(call: Call, given: DescribeInstanceStatus) -> Answer:
    found = [
        one
        for one in call.cloud.store.all(Instance, call.region)
        if (not given.instance_id or one.id in given.instance_id) and given.zone_id in ("", one.zone)
    ]
    part, counts = numbered(given, found)
    statuses = [{"InstanceId": one.id, "Status": one.status} for one in part]
    return counts | {"InstanceStatuses": {"InstanceStatus": statuses}}


class DescribeUserData(OnInstance):
    pass


@ECS.action
def describe_user_data(call: Call, given: DescribeUserData) -> Answer:
    one = _found(call, given)
    return {"InstanceId": one.id, "RegionId": one.region, "UserData": one.user_data}


# --- power


class StartInstance(OnInstance):
    pass


@ECS.action
def start_instance(call: Call, given: StartInstance) -> Answer:
    instances.start(call, _found(call, given))
    return {}


class StopInstance(OnInstance):
    force_stop: bool = False
    confirm_stop: bool = True
    stopped_mode: Literal["", "StopCharging", "KeepCharging"] = ""


@ECS.action
def stop_instance(call: Call, given: StopInstance) -> Answer:
    charging = given.stopped_mode != "StopCharging"
    instances.stop(call, _found(call, given), force=given.force_stop, charging=charging)
    return {}


class RebootInstance(OnInstance):
    force_stop: bool = False


@ECS.action
def reboot_instance(call: Call, given: RebootInstance) -> Answer:
    instances.reboot(call, _found(call, given), force=given.force_stop)
    return {}


class DeleteInstance(OnInstance):
    force: bool = False
    terminate_subscription: bool = False


@ECS.action
def delete_instance(call: Call, given: DeleteInstance) -> Answer:
    one = _found(call, given)
    _must_be_let_go(call, one)
    instances.delete(call, one, force=given.force)
    return {}


class Several(Request):
    instance_id: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]


def _all(call: Call, given: Several) -> list[Instance]:
    return [instances.find(call.cloud, call.region, one) for one in dict.fromkeys(given.instance_id)]


class StartInstances(Several):
    pass


@ECS.action
def start_instances(call: Call, given: StartInstances) -> Answer:
    return _responses([instances.start(call, one) for one in _all(call, given)], "Stopped")


class StopInstances(Several):
    force_stop: bool = False
    stopped_mode: Literal["", "StopCharging", "KeepCharging"] = ""


@ECS.action
def stop_instances(call: Call, given: StopInstances) -> Answer:
    charging = given.stopped_mode != "StopCharging"
    moved = [
        instances.stop(call, one, force=given.force_stop, charging=charging) for one in _all(call, given)
    ]
    return _responses(moved, "Running")


class RebootInstances(Several):
    force_reboot: bool = False


@ECS.action
def reboot_instances(call: Call, given: RebootInstances) -> Answer:
    return _responses(
        [instances.reboot(call, one, force=given.force_reboot) for one in _all(call, given)], "Running"
    )


class DeleteInstances(Several):
    force: bool = False
    terminate_subscription: bool = False


@ECS.action
def delete_instances(call: Call, given: DeleteInstances) -> Answer:
    for one in _all(call, given):
        _must_be_let_go(call, one)
        instances.delete(call, one, force=given.force)
    return {}


def _responses(moved: list[Instance], before: str) -> Answer:
    return {
        "InstanceResponses": {
            "InstanceResponse": [
                {
                    "InstanceId": one.id,
                    "Code": "200",
                    "Message": "success",
                    "PreviousStatus": before,
                    "CurrentStatus": one.status,
                }
                for one in moved
            ]
        }
    }


def _must_be_let_go(call: Call, one: Instance) -> None:
    if eip := eips.of(call.cloud, one.id):
        raise ApiError(
            400, "InvalidOperation.EipAssociated", f"The instance has an EIP: {eip.id}. Unassociate it first."
        )


# --- attributes


class ModifyInstanceAttribute(OnInstance):
    instance_name: Name | None = None
    description: Description | None = None
    host_name: HostName | None = None
    password: Annotated[str | None, Field(repr=False)] = None
    user_data: Annotated[str | None, Field(repr=False)] = None
    deletion_protection: bool | None = None
    credit_specification: Literal["Standard", "Unlimited"] | None = None
    security_group_ids: Annotated[tuple[str, ...], Field(max_length=5)] = ()


@ECS.action
def modify_instance_attribute(call: Call, given: ModifyInstanceAttribute) -> Answer:
    one = _found(call, given)
    changes: dict[str, object] = {
        "name": given.instance_name,
        "description": given.description,
        "host_name": given.host_name,
        "password": None if given.password is None else instances.checked_password(given.password),
        "user_data": None if given.user_data is None else instances.checked_user_data(given.user_data),
        "protected": given.deletion_protection,
        "credit": given.credit_specification,
    }
    if given.security_group_ids:
        for group in given.security_group_ids:
            _must_be_in_vpc(security_groups.find(call.cloud, one.region, group), one)
        changes["groups"] = given.security_group_ids
    instances.modify(call, one, {name: value for name, value in changes.items() if value is not None})
    return {}


def _must_be_in_vpc(group: SecurityGroup, one: Instance) -> None:
    if group.vpc != one.vpc:
        raise ApiError(
            403,
            "InvalidSecurityGroupId.VPCMismatch",
            "The specified security group and the specified instance are not in the same VPC.",
        )


class ModifyInstanceSpec(OnInstance):
    instance_type: Annotated[
        str, Says("InvalidInstanceType.ValueNotSupported", "The specified InstanceType is not supported.")
    ] = ""
    internet_max_bandwidth_in: Annotated[int, Field(ge=1, le=200)] | None = None
    internet_max_bandwidth_out: Annotated[int, Field(ge=0, le=100)] | None = None


@ECS.action
def modify_instance_spec(call: Call, given: ModifyInstanceSpec) -> Answer:
    one = _found(call, given)
    if given.instance_type:
        one = instances.set_type(call, one, given.instance_type)
    changes = {
        "bandwidth_in": given.internet_max_bandwidth_in,
        "bandwidth_out": given.internet_max_bandwidth_out,
    }
    instances.modify(call, one, {name: value for name, value in changes.items() if value is not None})
    return {}


class ModifyInstanceMetadataOptions(Request):
    instance_id: str
    http_endpoint: Literal["enabled", "disabled"] | None = None
    http_tokens: Literal["optional", "required"] | None = None
    http_put_response_hop_limit: Annotated[int, Field(ge=1, le=64)] | None = None


@ECS.action
def modify_instance_metadata_options(call: Call, given: ModifyInstanceMetadataOptions) -> Answer:
    one = instances.find(call.cloud, call.region, given.instance_id)
    changes = {
        "http_endpoint": given.http_endpoint,
        "http_tokens": given.http_tokens,
        "hop_limit": given.http_put_response_hop_limit,
    }
    instances.modify(call, one, {name: value for name, value in changes.items() if value is not None})
    return {}


class Window(Parameters):
    start_time: str
    end_time: str


class ModifyInstanceMaintenanceAttributes(Request):
    instance_id: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)]
    action_on_maintenance: Literal["Stop", "AutoRecover", "AutoRedeploy"] | None = None
    notify_on_maintenance: bool | None = None
    maintenance_window: Annotated[tuple[Window, ...], Field(max_length=1)] = ()


@ECS.action
def modify_instance_maintenance_attributes(call: Call, given: ModifyInstanceMaintenanceAttributes) -> Answer:
    changes: dict[str, object] = {
        "maintenance_action": given.action_on_maintenance,
        "maintenance_notify": given.notify_on_maintenance,
        "maintenance_windows": tuple((one.start_time, one.end_time) for one in given.maintenance_window)
        or None,
    }
    for instance_id in given.instance_id:
        one = instances.find(call.cloud, call.region, instance_id)
        instances.modify(call, one, {name: value for name, value in changes.items() if value is not None})
    return {}


class DescribeInstanceMaintenanceAttributes(Either):
    instance_id: tuple[str, ...] = ()


@ECS.action
def describe_instance_maintenance_attributes(
    call: Call, given: DescribeInstanceMaintenanceAttributes
) -> Answer:
    found = [
        one
        for one in call.cloud.store.all(Instance, call.region)
        if not given.instance_id or one.id in given.instance_id
    ]
    part, counts = numbered(given, found)
    return counts | {
        "MaintenanceAttributes": {
            "MaintenanceAttribute": [
                {
                    "InstanceId": one.id,
                    "ActionOnMaintenance": {
                        "DefaultValue": "AutoRecover",
                        "SupportedValues": {"SupportedValue": ["Stop", "AutoRecover", "AutoRedeploy"]},
                        "Value": one.maintenance_action,
                    },
                    "MaintenanceWindows": {
                        "MaintenanceWindow": [
                            {"StartTime": start, "EndTime": end} for start, end in one.maintenance_windows
                        ]
                    },
                    "NotifyOnMaintenance": one.maintenance_notify,
                }
                for one in part
            ]
        }
    }


class DescribeInstanceAttachmentAttributes(Either):
    instance_ids: JsonList


@ECS.action
def describe_instance_attachment_attributes(
    call: Call, given: DescribeInstanceAttachmentAttributes
) -> Answer:
    found = [one for one in call.cloud.store.all(Instance, call.region) if one.id in given.instance_ids]
    part, counts = numbered(given, found)
    none = {"PrivatePoolOptionsId": "", "PrivatePoolOptionsMatchCriteria": "None"}
    return counts | {"Instances": {"Instance": [{"InstanceId": one.id} | none for one in part]}}


class DescribeInstanceRamRole(Either):
    instance_ids: JsonList = ()
    ram_role_name: str = ""


@ECS.action
def describe_instance_ram_role(call: Call, given: DescribeInstanceRamRole) -> Answer:
    found = [
        one
        for one in call.cloud.store.all(Instance, call.region)
        if (not given.instance_ids or one.id in given.instance_ids) and given.ram_role_name in ("", one.role)
    ]
    part, _ = numbered(given, found)
    sets = [{"InstanceId": one.id, "RamRoleName": one.role} for one in part]
    return {
        "RegionId": call.region,
        "TotalCount": len(found),
        "InstanceRamRoleSets": {"InstanceRamRoleSet": sets},
    }


# --- what it has: groups, keys, its interface


class JoinSecurityGroup(OnInstance):
    security_group_id: str


@ECS.action
def join_security_group(call: Call, given: JoinSecurityGroup) -> Answer:
    one = _found(call, given)
    group = security_groups.find(call.cloud, one.region, given.security_group_id)
    _must_be_in_vpc(group, one)
    instances.join_group(call, one, group.id)
    return {}


class LeaveSecurityGroup(OnInstance):
    security_group_id: str


@ECS.action
def leave_security_group(call: Call, given: LeaveSecurityGroup) -> Answer:
    instances.leave_group(call, _found(call, given), given.security_group_id)
    return {}


class AttachKeyPair(Request):
    key_pair_name: str
    instance_ids: JsonList


@ECS.action
def attach_key_pair(call: Call, given: AttachKeyPair) -> Answer:
    """The machine has it after its next start."""
    pair = key_pairs.find(call.cloud, call.region, given.key_pair_name)
    return _pairs(call, given.instance_ids, pair.name, pair.name)


class DetachKeyPair(Request):
    key_pair_name: str
    instance_ids: JsonList


@ECS.action
def detach_key_pair(call: Call, given: DetachKeyPair) -> Answer:
    pair = key_pairs.find(call.cloud, call.region, given.key_pair_name)
    return _pairs(call, given.instance_ids, pair.name, "")


def _pairs(call: Call, ids: tuple[str, ...], name: str, wanted: str) -> Answer:
    results: list[dict[str, Any]] = []
    for instance_id in ids:
        one = instances.find(call.cloud, call.region, instance_id)
        if wanted or one.key_pair == name:
            instances.modify(call, one, {"key_pair": wanted})
        results.append({"InstanceId": one.id, "Success": "true", "Code": "200", "Message": "successful"})
    return {
        "KeyPairName": name,
        "TotalCount": str(len(results)),
        "FailCount": "0",
        "Results": {"Result": results},
    }


class DescribeNetworkInterfaces(Either):
    instance_id: str = ""
    network_interface_id: tuple[str, ...] = ()
    security_group_id: str = ""
    vpc_id: str = ""
    vswitch_id: str = ""
    primary_ip_address: str = ""
    private_ip_address: tuple[str, ...] = ()
    type: Literal["", "Primary", "Secondary"] = ""
    status: str = ""


@ECS.action
def describe_network_interfaces(call: Call, given: DescribeNetworkInterfaces) -> Answer:
    found = [
        one
        for one in call.cloud.store.all(Instance, call.region)
        if given.instance_id in ("", one.id)
        and (not given.network_interface_id or one.eni in given.network_interface_id)
        and (not given.security_group_id or given.security_group_id in one.groups)
        and given.vpc_id in ("", one.vpc)
        and given.vswitch_id in ("", one.vswitch)
        and given.primary_ip_address in ("", str(one.address))
        and (not given.private_ip_address or str(one.address) in given.private_ip_address)
        and given.type in ("", "Primary")
        and given.status in ("", "InUse")
    ]
    part, said = either(given, found)
    return said | {"NetworkInterfaceSets": {"NetworkInterfaceSet": [_interface(call, one) for one in part]}}


def _interface(call: Call, one: Instance) -> dict[str, Any]:
    eip = eips.of(call.cloud, one.id)
    public = {"PublicIpAddress": str(eip.address), "AllocationId": eip.id} if eip else {}
    return {
        "NetworkInterfaceId": one.eni,
        "NetworkInterfaceName": "",
        "Description": "",
        "Type": "Primary",
        "Status": "InUse",
        "InstanceId": one.id,
        "MacAddress": one.mac,
        "PrivateIpAddress": str(one.address),
        "PrivateIpSets": {
            "PrivateIpSet": [
                {"Primary": True, "PrivateIpAddress": str(one.address), "AssociatedPublicIp": public}
            ]
        },
        "Ipv6Sets": {"Ipv6Set": [{"Ipv6Address": str(address)} for address in one.ipv6]},
        "AssociatedPublicIp": public,
        "Attachment": {"InstanceId": one.id, "DeviceIndex": 0, "NetworkCardIndex": 0},
        "NetworkInterfaceTrafficMode": "Standard",
        "QueuePairNumber": 0,
        "SourceDestCheck": True,
        "SecurityGroupIds": {"SecurityGroupId": list(one.groups)},
        "VpcId": one.vpc,
        "VSwitchId": one.vswitch,
        "ZoneId": one.zone,
        "OwnerId": call.caller.account,
        "ResourceGroupId": one.resource_group,
        "CreationTime": seconds_utc(one.created),
        "DeleteOnRelease": True,
        "ServiceManaged": False,
        "Tags": {"Tag": []},
    }


def _holder(call: Call, instance_id: str) -> Holder:
    one = instances.find(call.cloud, call.region, instance_id)
    instances.must_be(one, "Running", "Stopped")
    return Holder(one.vpc, one.address)


eips.may_hold("EcsInstance", _holder)
eips.takes_public(lambda cloud: (one.public for one in cloud.store.all(Instance) if one.public))
security_groups.keeps_group(
    "instance",
    lambda cloud, group: [one for one in cloud.store.all(Instance, group.region) if group.id in one.groups],
)
key_pairs.keeps_key_pair(
    lambda cloud, pair: [one for one in cloud.store.all(Instance, pair.region) if one.key_pair == pair.name]
)
