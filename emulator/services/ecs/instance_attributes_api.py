"""Actions on what instances are like."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from emulator.api.call import Answer, Call, JsonList, Parameters, Request, Says
from emulator.api.errors import ApiError
from emulator.api.paging import Numbered, numbered
from emulator.services.ecs import instances, security_groups
from emulator.services.ecs.instances_api import OnInstance, found
from emulator.services.ecs.model_groups import SecurityGroup
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.run_instances_api import Description, HostName, Name
from emulator.services.ecs.service import ECS


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
    one = found(call, given)
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
    one = found(call, given)
    if given.instance_type:
        one = instances.set_type(call, one, given.instance_type)
    changes = {
        "bandwidth_in": given.internet_max_bandwidth_in,
        "bandwidth_out": given.internet_max_bandwidth_out,
    }
    instances.modify(call, one, {name: value for name, value in changes.items() if value is not None})
    return {}


class AllocatePublicIpAddress(OnInstance):
    pass


@ECS.action
def allocate_public_ip_address(call: Call, given: AllocatePublicIpAddress) -> Answer:
    return {"IpAddress": str(instances.give_public(call, found(call, given)).public)}


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


class DescribeInstanceMaintenanceAttributes(Numbered):
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


class DescribeInstanceAttachmentAttributes(Numbered):
    instance_ids: JsonList


@ECS.action
def describe_instance_attachment_attributes(
    call: Call, given: DescribeInstanceAttachmentAttributes
) -> Answer:
    found = [one for one in call.cloud.store.all(Instance, call.region) if one.id in given.instance_ids]
    part, counts = numbered(given, found)
    none = {"PrivatePoolOptionsId": "", "PrivatePoolOptionsMatchCriteria": "None"}
    return counts | {"Instances": {"Instance": [{"InstanceId": one.id} | none for one in part]}}


# --- what it has: groups, keys, its interface


class JoinSecurityGroup(OnInstance):
    security_group_id: str


@ECS.action
def join_security_group(call: Call, given: JoinSecurityGroup) -> Answer:
    one = found(call, given)
    group = security_groups.find(call.cloud, one.region, given.security_group_id)
    _must_be_in_vpc(group, one)
    instances.join_group(call, one, group.id)
    return {}


class LeaveSecurityGroup(OnInstance):
    security_group_id: str


@ECS.action
def leave_security_group(call: Call, given: LeaveSecurityGroup) -> Answer:
    instances.leave_group(call, found(call, given), given.security_group_id)
    return {}
