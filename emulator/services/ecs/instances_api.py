"""Actions that tell of instances, and of what they are tied to."""

from __future__ import annotations

import base64
import re
from typing import Any, ClassVar, Final, Literal

from emulator.api import errors
from emulator.api.call import Answer, Call, JsonList, Request, Tag
from emulator.api.paging import Either, Numbered, either, numbered
from emulator.services.ecs import instances, key_pairs, security_groups
from emulator.services.ecs.instance_shapes import alone, listed
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.service import ECS
from emulator.services.vpc import eips
from emulator.services.vpc.eips import Holder
from emulator.tags import match
from emulator.times import seconds_utc

_SYMBOLS: Final = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
Status = Literal["", "Pending", "Starting", "Running", "Stopping", "Stopped"]


class OnInstance(Request):
    """An action on one instance, which is found in whatever region it is."""

    regional: ClassVar[bool] = False
    instance_id: str


def found(call: Call, given: OnInstance) -> Instance:
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
    return alone(call, found(call, given))


class DescribeInstanceStatus(Numbered):
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
    one = found(call, given)
    return {"InstanceId": one.id, "RegionId": one.region, "UserData": one.user_data}


# --- power


class GetInstanceConsoleOutput(Request):
    instance_id: str
    remove_symbols: bool = False
    """Without what colours a terminal."""


@ECS.slow_action
def get_instance_console_output(call: Call, given: GetInstanceConsoleOutput) -> Answer:
    """What user data said is here, also where it failed and nobody can log in."""
    one = instances.find(call.cloud, call.region, given.instance_id)
    try:
        said = call.cloud.console(one.id)
    except ConnectionError as failure:
        raise errors.unavailable(str(failure)) from None
    if given.remove_symbols:
        said = _SYMBOLS.sub(b"", said)
    return {
        "InstanceId": one.id,
        "ConsoleOutput": base64.b64encode(said).decode(),
        "LastUpdateTime": seconds_utc(call.now),
    }


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
