"""A vSwitch: a subnet of a VPC in one zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, together
from offline.alicloud.lifecycle import TAGS, CloudResource
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Field, Inputs, ResourceError, State

_BUSY = (
    "OperationConflict",
    "OperationFailed.LastTokenProcessing",
    "IncorrectStatus.VSwitch",
    "IncorrectStatus.VpcRouteEntry",
)


class Switch(CloudResource):
    """alicloud:vpc/switch:Switch."""

    type: ClassVar[str] = "alicloud:vpc/switch:Switch"
    product = "vpc"
    noun = "vSwitch"
    id_parameter = "VSwitchId"
    tag_kind = "VSWITCH"
    ready = ("Available",)
    fields: ClassVar[Mapping[str, Field]] = {
        "availabilityZone": Property(
            create="ZoneId", read="ZoneId", computed=True, replace=True, deprecated=True
        ),
        "cidrBlock": Property(create="CidrBlock", read="CidrBlock", computed=True, replace=True),
        "description": Property(create="Description", read="Description"),
        "enableIpv6": Property(computed=True),
        "ipv6CidrBlockMask": Property(create="Ipv6CidrBlock", computed=True, flag=True),
        "isDefault": Property(
            read="IsDefault",
            computed=True,
            replace=True,
            valid=lambda value: "default vSwitches are Alibaba Cloud's to make; import it" if value else None,
        ),
        "name": Property(create="VSwitchName", read="VSwitchName", computed=True, deprecated=True),
        "tags": TAGS,
        "vpcId": Property(create="VpcId", read="VpcId", computed=True, replace=True),
        "vpcIpv6CidrBlock": Property(create="VpcIpv6CidrBlock"),
        "vswitchName": Property(create="VSwitchName", read="VSwitchName", computed=True, conflicts=("name",)),
        "zoneId": Property(create="ZoneId", read="ZoneId", computed=True, replace=True),
    }
    creation = Creation(
        action="CreateVSwitch",
        id="VSwitchId",
        tags=False,
        again=(
            "TaskConflict",
            "IncorrectStatus",
            "InvalidStatus.RouteEntry",
            "OperationFailed.IdempotentTokenProcessing",
            "CreateVSwitch.IncorrectStatus.cbnStatus",
            "IncorrectVSwitchStatus",
            "OperationConflict",
            "OperationFailed.DistibuteLock",
            "OperationFailed.NotifyCenCreate",
        ),
    )
    changes = (
        Change(
            action="ModifyVSwitchAttribute",
            properties={
                "description": "Description",
                "name": "VSwitchName",
                "vswitchName": "VSwitchName",
                "vpcIpv6CidrBlock": "VpcIpv6CidrBlock",
            },
            again=_BUSY,
        ),
    )
    deletion = Deletion(
        action="DeleteVSwitch",
        again=(
            "DependencyViolation",
            "OperationConflict",
            "IncorrectRouteEntryStatus",
            "InternalError",
            "TaskConflict",
            "DeleteVSwitch.IncorrectStatus.cbnStatus",
            "IncorrectVSwitchStatus",
            "LastTokenProcessing",
            "OperationDenied.OtherSubnetProcessing",
        ),
        seconds=600,
    )

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        return list(together(("zoneId", "availabilityZone"), inputs))

    def describe(self, work: Work, id: str) -> Answer | None:
        found = work.found("DescribeVSwitchAttributes", {"VSwitchId": id})
        return found if found is not None and found.get("VSwitchId") else None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {
            "createTime": answer.get("CreationTime"),
            "ipv6CidrBlock": answer.get("Ipv6CidrBlock"),
            "enableIpv6": bool(answer.get("Ipv6CidrBlock")),
            "status": answer.get("Status"),
        }

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:
        if not changed & {"enableIpv6", "ipv6CidrBlockMask"} or "enableIpv6" not in inputs:
            return
        if not inputs["enableIpv6"]:
            if old.get("enableIpv6"):
                self._ipv6(work, id, {"EnableIPv6": False})
            return
        if "ipv6CidrBlockMask" not in inputs:
            raise ResourceError(
                f"vSwitch {id} cannot get IPv6 without its ipv6CidrBlockMask",
                fix="set ipv6CidrBlockMask: which of the 256 IPv6 networks of the VPC it gets",
            )
        if old.get("enableIpv6"):
            self._ipv6(work, id, {"EnableIPv6": False})  # the old network must be given back first
        self._ipv6(work, id, {"EnableIPv6": True, "Ipv6CidrBlock": inputs["ipv6CidrBlockMask"]})

    def _ipv6(self, work: Work, id: str, given: Mapping[str, Any]) -> None:
        work("ModifyVSwitchAttribute", {"VSwitchId": id, **given}, again=_BUSY)
        self.settled(work, id)
