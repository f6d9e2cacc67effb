"""A VPC."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, one_of, same_items
from offline.alicloud.lifecycle import TAGS, CloudResource
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import CheckFailure, Field, Inputs, State

_CLASSIC: Final = "ClassicLink has been switched off by Alibaba Cloud; leave it out"
_POOLS: Final = "pools of addresses (IPAM) are not served by this plugin; give a cidrBlock"
_DEFAULT: Final = "the default VPC is Alibaba Cloud's to make; import it, or make one of your own"


class Network(CloudResource):
    """alicloud:vpc/network:Network."""

    type: ClassVar[str] = "alicloud:vpc/network:Network"
    product = "vpc"
    noun = "VPC"
    id_parameter = "VpcId"
    tag_kind = "VPC"
    ready = ("Available",)
    fields: ClassVar[Mapping[str, Field]] = {
        "cidrBlock": Property(create="CidrBlock", read="CidrBlock", computed=True),
        "classicLinkEnabled": Property(refused=_CLASSIC, deprecated=True),
        "description": Property(create="Description", read="Description"),
        "dnsHostnameStatus": Property(
            read="DnsHostnameStatus", computed=True, valid=one_of("ENABLED", "DISABLED")
        ),
        "dryRun": Property(create="DryRun"),
        "enableIpv6": Property(create="EnableIpv6", read="EnabledIpv6", computed=True, flag=True),
        "forceDelete": Property(),
        "ipv4CidrMask": Property(refused=_POOLS),
        "ipv4IpamPoolId": Property(refused=_POOLS),
        "ipv6CidrBlock": Property(
            create="Ipv6CidrBlock", read="Ipv6CidrBlock", computed=True, replace=True, deprecated=True
        ),
        "ipv6Isp": Property(create="Ipv6Isp", computed=True, deprecated=True),
        "isDefault": Property(
            read="IsDefault",
            computed=True,
            replace=True,
            valid=lambda value: _DEFAULT if value else None,
        ),
        "name": Property(create="VpcName", read="VpcName", computed=True, deprecated=True),
        "resourceGroupId": Property(create="ResourceGroupId", read="ResourceGroupId", computed=True),
        "secondaryCidrBlocks": Property(
            read="SecondaryCidrBlocks.SecondaryCidrBlock", computed=True, deprecated=True, same=same_items
        ),
        "secondaryCidrMask": Property(refused=_POOLS, deprecated=True),
        "systemRouteTableDescription": Property(),
        "systemRouteTableName": Property(),
        "systemRouteTableRoutePropagationEnable": Property(computed=True),
        "tags": TAGS,
        "userCidrs": Property(read="UserCidrs.UserCidr", computed=True, replace=True),
        "vpcName": Property(create="VpcName", read="VpcName", computed=True, conflicts=("name",)),
    }
    creation = Creation(action="CreateVpc", id="VpcId", again=("TaskConflict",), seconds=600)
    changes = (
        Change(
            action="ModifyVpcAttribute",
            properties={
                "description": "Description",
                "name": "VpcName",
                "vpcName": "VpcName",
                "cidrBlock": "CidrBlock",
                "enableIpv6": "EnableIPv6",
                "ipv6Isp": "Ipv6Isp",
                "dnsHostnameStatus": "EnableDnsHostname",
            },
            again=(
                "OperationFailed.LastTokenProcessing",
                "LastTokenProcessing",
                "OperationFailed.QueryCenIpv6Status",
                "IncorrectStatus",
                "OperationConflict",
                "IncorrectVpcStatus",
            ),
        ),
        Change(
            action="MoveResourceGroup",
            properties={"resourceGroupId": "NewResourceGroupId"},
            id="ResourceId",
            fixed={"ResourceType": "VPC"},
        ),
    )
    deletion = Deletion(
        action="DeleteVpc",
        again=("DependencyViolation.VSwitch", "DependencyViolation.SecurityGroup", "IncorrectVpcStatus"),
        token=True,
    )

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        if inputs.get("dryRun") is True:
            reason = "a dry run makes nothing, so that there is nothing to manage; use `pulumi preview`"
            return [CheckFailure(property="dryRun", reason=reason)]
        return []

    def describe(self, work: Work, id: str) -> Answer | None:
        found = work.found("DescribeVpcAttribute", {"VpcId": id})
        return found if found is not None and found.get("VpcId") else None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        table = _system_table(work, id) or {}
        blocks = (answer.get("Ipv6CidrBlocks") or {}).get("Ipv6CidrBlock") or []
        isp = next((one.get("Ipv6Isp") for one in blocks if one.get("Ipv6Isp")), None)
        return super().state_of(work, id, answer) | {
            "createTime": answer.get("CreationTime"),
            "ipv6CidrBlocks": [
                {"ipv6CidrBlock": one.get("Ipv6CidrBlock"), "ipv6Isp": one.get("Ipv6Isp")} for one in blocks
            ],
            "ipv6Isp": isp,
            "regionId": answer.get("RegionId"),
            "resourceGroupId": table.get("ResourceGroupId") or answer.get("ResourceGroupId"),
            "routeTableId": table.get("RouteTableId"),
            "routerId": table.get("RouterId") or answer.get("VRouterId"),
            "routerTableId": table.get("RouteTableId"),
            "status": answer.get("Status"),
            "systemRouteTableDescription": table.get("Description"),
            "systemRouteTableName": table.get("RouteTableName"),
            "systemRouteTableRoutePropagationEnable": table.get("RoutePropagationEnable"),
        }

    def parameters(self, inputs: Inputs) -> dict[str, Any]:
        given = super().parameters(inputs)
        if inputs.get("userCidrs"):
            given["UserCidr"] = ",".join(inputs["userCidrs"])
        if inputs.get("dnsHostnameStatus"):
            given["EnableDnsHostname"] = inputs["dnsHostnameStatus"] == "ENABLED"
        return given

    def parameter(self, name: str, value: Any) -> Any:
        return value == "ENABLED" if name == "dnsHostnameStatus" else value

    def after(self, work: Work, id: str, old: State, inputs: Inputs, changed: set[str]) -> None:
        wanted = {
            parameter: inputs.get(name, "")
            for name, parameter in _TABLE.items()
            if name in changed or (name in inputs and inputs[name] != old.get(name))
        }
        if wanted and (table := _system_table(work, id)) is not None:
            work("ModifyRouteTableAttributes", {"RouteTableId": table["RouteTableId"], **wanted})
        if "secondaryCidrBlocks" in inputs:
            have, want = set(old.get("secondaryCidrBlocks") or ()), set(inputs["secondaryCidrBlocks"])
            for block in sorted(have - want):
                work("UnassociateVpcCidrBlock", {"VpcId": id, "SecondaryCidrBlock": block})
                self.settled(work, id)
            for block in sorted(want - have):
                given = {"VpcId": id, "SecondaryCidrBlock": block, "IpVersion": "IPV4"}
                work("AssociateVpcCidrBlock", given)
                self.settled(work, id)

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        return {"ForceDelete": True} if state.get("forceDelete") else {}


_TABLE: Final = {
    "systemRouteTableDescription": "Description",
    "systemRouteTableName": "RouteTableName",
    "systemRouteTableRoutePropagationEnable": "RoutePropagationEnable",
}


def _system_table(work: Work, id: str) -> Answer | None:
    tables = work("DescribeRouteTableList", {"VpcId": id})["RouterTableList"]["RouterTableListType"]
    return next((one for one in tables if one["RouteTableType"] == "System" and one["VpcId"] == id), None)
