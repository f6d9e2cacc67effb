"""Rules of instances."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final, Literal

from emulator.api.call import Call
from emulator.api.errors import ApiError, missing_parameter
from emulator.cloud import Cloud
from emulator.services.ecs import auto_snapshot_policies
from emulator.services.ecs.model_instances import Disk, Instance, Status
from emulator.services.vpc import eips, vswitches
from emulator.services.vpc.model import VSwitch
from emulator.services.vpc.users import keeps_ipv6

MOST: Final = 100
"""Of one region, without a raised quota."""
LARGEST_USER_DATA: Final = 32 * 1024
"""Bytes, before base64."""
_PASSWORD: Final = re.compile(r"[A-Za-z0-9()`~!@#$%^&*\-_+=|{}\[\]:;'<>,.?/]{8,30}")


def find(cloud: Cloud, region: str, instance_id: str) -> Instance:
    """region: empty for any. Raises ApiError for one that is not there."""
    found = cloud.store.get(Instance, instance_id)
    if found is None or region not in ("", found.region):
        raise ApiError(404, "InvalidInstanceId.NotFound", "The specified InstanceId does not exist.")
    return found


def disks_of(cloud: Cloud, instance: Instance) -> list[Disk]:
    """The system disk first."""
    held = [disk for disk in cloud.store.all(Disk, instance.region) if disk.instance == instance.id]
    return sorted(held, key=lambda disk: (not disk.system, disk.device))


def must_be(instance: Instance, *allowed: Status) -> None:
    """Raises ApiError unless the instance is in one of these states."""
    if instance.status not in allowed:
        raise ApiError(
            403,
            "IncorrectInstanceStatus",
            "The current status of the resource does not support this operation.",
        )


def checked_user_data(text: str) -> str:
    """Raises ApiError for what is not base64, or too long."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise ApiError(
            400,
            "InvalidUserData.Base64FormatInvalid",
            "The specified parameter UserData must be base64 encoded.",
        ) from None
    if len(raw) > LARGEST_USER_DATA:
        raise ApiError(
            400, "InvalidUserData.SizeExceeded", "The specified parameter UserData exceeds the size."
        )
    return text


def checked_password(text: str) -> str:
    """8 to 30 characters of at least three kinds. Raises ApiError; the message does not repeat it."""
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    if text and (
        not _PASSWORD.fullmatch(text) or text[0] == "/" or sum(any(map(kind, text)) for kind in kinds) < 3
    ):
        raise ApiError(400, "InvalidPassword.Malformed", "The specified Password is malformed.")
    return text


@dataclass(frozen=True)
class DiskOrder:
    """A disk that is made together with an instance."""

    category: str
    size: int
    name: str
    description: str
    performance: str
    encrypted: bool
    kms_key: str
    with_instance: bool
    snapshot: str = ""


@dataclass(frozen=True)
class Order:
    """Instances that are all alike."""

    name: str
    description: str
    host_name: str
    type: str
    image: str
    groups: tuple[str, ...]
    address: IPv4Address | None
    ipv6: tuple[IPv6Address, ...]
    ipv6_count: int
    key_pair: str
    password: str
    user_data: str
    role: str
    resource_group: str
    bandwidth_in: int
    bandwidth_out: int
    internet_charge: Literal["PayByTraffic", "PayByBandwidth"]
    protected: bool
    credit: str
    http_endpoint: Literal["enabled", "disabled"]
    http_tokens: Literal["optional", "required"]
    hop_limit: int
    enhanced: bool
    auto_release: str
    tags: dict[str, str]
    system_disk: DiskOrder
    data_disks: tuple[DiskOrder, ...]


def create(call: Call, vswitch: VSwitch, order: Order, number: int) -> Instance:
    """One machine, Pending. number: from 0, of those that the call asks for."""
    cloud, store = call.cloud, call.cloud.store
    if len(store.all(Instance, call.region)) >= MOST:
        raise ApiError(403, "QuotaExceed.Instance", "The maximum number of instances is exceeded.")
    if vswitch.status(call.now) != "Available":
        raise ApiError(
            400, "IncorrectVSwitchStatus", "The current status of the VSwitch does not support this."
        )
    instance_id = cloud.new_id("i-")
    address = vswitches.lease(call, vswitch, instance_id, order.address).address
    eni = cloud.new_id("eni-")
    system = _disk(call, vswitch.zone, order.system_disk, instance_id, "/dev/xvda", order)
    for index, data in enumerate(order.data_disks):
        _disk(call, vswitch.zone, data, instance_id, f"/dev/xvd{chr(ord('b') + index)}", order)
    name = _numbered(order.name, number) or instance_id
    return store.put(
        Instance(
            id=instance_id,
            region=call.region,
            created=call.now,
            status="Pending",
            since=call.now,
            name=name,
            description=order.description,
            host_name=_numbered(order.host_name, number) or f"iZ{instance_id.removeprefix('i-')}Z",
            type=order.type,
            image=order.image,
            zone=vswitch.zone,
            vpc=vswitch.vpc,
            vswitch=vswitch.id,
            groups=order.groups,
            eni=eni,
            mac=mac(address),
            address=address,
            ipv6=_ipv6(call, vswitch, order, instance_id),
            key_pair=order.key_pair,
            password=order.password,
            user_data=order.user_data,
            role=order.role,
            resource_group=order.resource_group,
            system_disk=system.id,
            bandwidth_in=order.bandwidth_in,
            bandwidth_out=order.bandwidth_out,
            public=eips.draw(cloud) if order.bandwidth_out else None,
            internet_charge=order.internet_charge,
            protected=order.protected,
            credit=order.credit,
            http_endpoint=order.http_endpoint,
            http_tokens=order.http_tokens,
            hop_limit=order.hop_limit,
            enhanced=order.enhanced,
            auto_release=order.auto_release,
            tags=order.tags,
        )
    )


def mac(address: IPv4Address) -> str:
    """Alibaba Cloud's prefix, then the address: unlike for each machine of a VPC."""
    return "00:16:" + ":".join(f"{byte:02x}" for byte in address.packed)


def _numbered(name: str, number: int) -> str:
    """`web-[1,3]` is web-001, web-002, ...; without it the number is left out."""
    found = re.fullmatch(r"(.*)\[(\d{0,6}),(\d?)\](.*)", name)
    if not found:
        return name
    head, first, width, tail = found.groups()
    return f"{head}{int(first or 0) + number:0{int(width or 0)}d}{tail}"


def _ipv6(call: Call, vswitch: VSwitch, order: Order, holder: str) -> tuple[IPv6Address, ...]:
    if not order.ipv6 and not order.ipv6_count:
        return ()
    network = vswitch.ipv6_cidr
    if network is None:
        raise ApiError(400, "InvalidVSwitch.Ipv6NotTurnOn", "The VSwitch has no IPv6 CIDR block.")
    taken = {one for other in call.cloud.store.all(Instance, call.region) for one in other.ipv6}
    for one in order.ipv6:
        if one not in network or one in taken:
            raise ApiError(400, "InvalidIpv6Address.Duplicated", f"The IPv6 address {one} cannot be given.")
    if order.ipv6:
        return order.ipv6
    start = int(network[0]) + (int.from_bytes(holder.encode()[-6:]) & 0xFFFFFFFF) * 16
    return tuple(IPv6Address(start + index) for index in range(1, order.ipv6_count + 1))


def _disk(call: Call, zone: str, wanted: DiskOrder, instance: str, device: str, order: Order) -> Disk:
    system = device == "/dev/xvda"
    return call.cloud.store.put(
        Disk(
            id=call.cloud.new_id("d-"),
            region=call.region,
            created=call.now,
            name=wanted.name,
            description=wanted.description,
            zone=zone,
            system=system,
            category=wanted.category,
            size=wanted.size,
            snapshot=wanted.snapshot,
            performance=wanted.performance,
            encrypted=wanted.encrypted,
            kms_key=wanted.kms_key,
            instance=instance,
            device=device,
            with_instance=wanted.with_instance,
            image=order.image if system else "",
            resource_group=order.resource_group,
            status="In_use",
            since=call.now,
            attached=call.now,
        )
    )


def give_public(call: Call, instance: Instance) -> Instance:
    """A public address of its own, that stays until it goes. Raises ApiError where it has one, or an EIP."""
    must_be(instance, "Running", "Stopped")
    if instance.public is not None or eips.of(call.cloud, instance.id) is not None:
        raise ApiError(403, "AllocatedAlready", "The specified instance already has a public IP address.")
    return call.cloud.store.put(instance.but(public=eips.draw(call.cloud)))


def start(call: Call, instance: Instance) -> Instance:
    must_be(instance, "Stopped")
    return _move(call, instance, "Starting")


def stop(call: Call, instance: Instance, *, force: bool, charging: bool = True) -> Instance:
    must_be(instance, "Running", *(("Starting",) if force else ()))
    mode = "KeepCharging" if charging else "StopCharging"
    return _move(call, instance.but(stopped_mode=mode, force_stop=force), "Stopping")


def reboot(call: Call, instance: Instance, *, force: bool) -> Instance:
    must_be(instance, "Running", *(("Stopped",) if force else ()))
    if instance.status == "Stopped":
        return _move(call, instance, "Starting")
    return _move(call, instance.but(force_stop=force, reboot=True), "Stopping")


def _move(call: Call, instance: Instance, status: Status) -> Instance:
    return call.cloud.store.put(instance.but(status=status, since=call.now, trouble=""))


def delete(call: Call, instance: Instance, *, force: bool) -> None:
    """Its addresses are free, its disks gone or loose. The machine itself goes with it, a moment later."""
    if instance.protected:
        raise ApiError(
            403,
            "InvalidOperation.DeletionProtection",
            "The operation is not allowed due to deletion protection.",
        )
    if not force:
        must_be(instance, "Stopped", "Pending")
    elif instance.status in ("Starting", "Stopping"):
        raise ApiError(
            403,
            "IncorrectInstanceStatus.Initializing",
            "The specified instance status does not support this.",
        )
    store = call.cloud.store
    for disk in disks_of(call.cloud, instance):
        if disk.system or disk.with_instance:
            auto_snapshot_policies.forget_disk(call.cloud, disk)
            store.remove(disk)
        else:
            store.put(disk.but(instance="", device="", status="Available", since=call.now, detached=call.now))
    vswitches.give_back(call.cloud, instance.id)
    store.remove(instance)


def modify(call: Call, instance: Instance, changes: dict[str, object]) -> Instance:
    """What needs a stopped machine is refused on a running one."""
    if {"host_name", "password", "user_data"} & changes.keys() and instance.status not in (
        "Running",
        "Stopped",
    ):
        must_be(instance, "Running", "Stopped")
    return call.cloud.store.put(instance.but(**changes))


def set_type(call: Call, instance: Instance, type_: str) -> Instance:
    must_be(instance, "Stopped")
    return call.cloud.store.put(instance.but(type=type_))


def join_group(call: Call, instance: Instance, group: str) -> Instance:
    if group in instance.groups:
        return instance
    if len(instance.groups) >= 5:
        raise ApiError(
            403, "InstanceSecurityGroupLimitExceeded", "Exceeding the allowed amount of security groups."
        )
    return call.cloud.store.put(instance.but(groups=(*instance.groups, group)))


def leave_group(call: Call, instance: Instance, group: str) -> Instance:
    if group not in instance.groups:
        raise ApiError(403, "InstanceNotInSecurityGroup", "The instance not in the group.")
    if len(instance.groups) == 1:
        raise ApiError(403, "InstanceLastSecurityGroup", "This is the last security group of the instance.")
    return call.cloud.store.put(
        instance.but(groups=tuple(other for other in instance.groups if other != group))
    )


def must_have_login(order: Order) -> None:
    """A key pair and a password exclude each other, as on Linux images of Alibaba Cloud."""
    if order.key_pair and order.password:
        raise ApiError(
            400,
            "InvalidParameter.Conflict",
            "The specified KeyPairName and Password can not be used together.",
        )
    if not order.groups:
        raise missing_parameter("SecurityGroupId")


def _has_ipv6(cloud: Cloud, vswitch: VSwitch) -> bool:
    return any(one.ipv6 for one in cloud.store.all(Instance, vswitch.region) if one.vswitch == vswitch.id)


keeps_ipv6(_has_ipv6)
