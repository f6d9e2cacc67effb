"""One machine of Alibaba Cloud: the instance, the key that opens it, the disks that outlive it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Literal

import pulumi
from pulumi_alicloud.ecs import EcsDisk, EcsDiskAttachment, EcsKeyPair, Instance
from pydantic import Field, field_validator, model_validator

from components.base import Component, Identity
from components.cloud.capacity import Capacity, must_carry
from components.cloud.security_group import SecurityGroup
from components.host_spec import InstanceType, Zone
from components.spec import Spec
from components.units import DnsName, Like

DiskCategory = Literal["cloud_essd", "cloud_auto", "cloud_essd_entry"]


class DataDisk(Spec):
    """An encrypted disk for data. Protected and retained: it stays when the machine or the stack goes."""

    role: DnsName
    size_gib: Annotated[int, Field(ge=20, le=32768)]
    category: DiskCategory = "cloud_essd"


class EcsSpec(Spec):
    """A machine in one zone, billed by use. Its address is private: what is public comes in front of it."""

    zone: Zone
    instance_type: InstanceType
    """Another type stops and starts the machine."""
    carries: Mapping[str, Capacity]
    """The systems on it, by name, each with the least that it needs."""
    image: Annotated[
        str,
        Like(
            r"\w+_alibase_\d{8}\.vhd|m-[a-z0-9]{10,}",
            "the id of one image, which never moves, like ubuntu_24_04_x64_20G_alibase_20250317.vhd",
        ),
    ]
    """Its cloud-init is 23.2.2 or newer: older ones have no session token, and would get no user data."""
    public_key: Annotated[
        str,
        Like(
            r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp\d{3}) [A-Za-z0-9+/]+={0,2}( [^\n]*)?",
            "the operators' public key, one line that begins with ssh-ed25519 or ssh-rsa",
        ),
    ]
    system_disk_gib: Annotated[int, Field(ge=40, le=2048)] = 40
    system_disk_category: DiskCategory = "cloud_essd"
    data_disks: Annotated[tuple[DataDisk, ...], Field(max_length=16)] = ()
    protected: bool = True
    """Neither an update nor a click in the console ends the machine."""

    @field_validator("data_disks")
    @classmethod
    def _roles_differ(cls, disks: tuple[DataDisk, ...]) -> tuple[DataDisk, ...]:
        roles = [disk.role for disk in disks]
        if twice := sorted({role for role in roles if roles.count(role) > 1}):
            raise ValueError(f"two disks are called {', '.join(twice)}; allowed: each role once")
        return disks

    @model_validator(mode="after")
    def _is_large_enough(self) -> EcsSpec:
        must_carry(self.instance_type, self.carries)
        return self


class Ecs(Component):
    """The machine. A password never opens it, and its metadata answer only to a session token.

    The provider would run another image or other user data on the machine as it is: the one wipes the system
    disk, the other reboots and is not run again. Here either means another machine, which a protected one
    refuses in the preview; the data disks go over to the new one.
    """

    kind = "cloud:Ecs"

    def __init__(
        self,
        name: str,
        spec: EcsSpec,
        *,
        identity: Identity,
        vswitch_id: pulumi.Input[str],
        group: SecurityGroup,
        user_data: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """vswitch_id: a vSwitch in `spec.zone`. user_data: for cloud-init at the first boot; no secret."""
        super().__init__(name, opts=opts)
        tags = identity.labels()
        # Another key is another pair: one that a machine has cannot be removed.
        fingerprint = hashlib.sha256(spec.public_key.encode()).hexdigest()[:8]
        key = EcsKeyPair(
            f"{name}-key",
            key_pair_name=f"{name}-{fingerprint}",
            public_key=spec.public_key,
            tags=tags,
            opts=self.child(),
        )
        instance = Instance(
            f"{name}-instance",
            instance_name=name,
            instance_type=spec.instance_type,
            instance_charge_type="PostPaid",
            image_id=spec.image,
            vswitch_id=vswitch_id,
            security_groups=[group.group_id],
            internet_max_bandwidth_out=0,
            key_name=key.key_pair_name,
            user_data=user_data,
            system_disk_category=spec.system_disk_category,
            system_disk_size=spec.system_disk_gib,
            system_disk_encrypted=True,
            http_endpoint="enabled",
            http_tokens="required",
            security_enhancement_strategy="Active",
            deletion_protection=spec.protected,
            tags=tags,
            opts=self.child(protect=spec.protected, replace_on_changes=["imageId", "userData"]),
        )
        for data in spec.data_disks:
            disk = EcsDisk(
                f"{name}-{data.role}-disk",
                disk_name=f"{name}-{data.role}",
                zone_id=spec.zone,
                category=data.category,
                size=data.size_gib,
                encrypted=True,
                delete_with_instance=False,
                payment_type="PayAsYouGo",
                tags=tags,
                opts=self.child(protect=True, retain_on_delete=True),
            )
            EcsDiskAttachment(
                f"{name}-{data.role}-attached",
                disk_id=disk.id,
                instance_id=instance.id,
                delete_with_instance=False,
                opts=self.child(delete_before_replace=True),  # a disk is in one machine at a time
            )
        self.instance_id = instance.id
        self.private_ip = instance.primary_ip_address
        self.register_outputs({"id": instance.id, "private_ip": self.private_ip})
