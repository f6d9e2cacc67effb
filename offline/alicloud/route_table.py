"""A route table of a VPC, and what it is attached to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer
from offline.alicloud.field import Property, one_of
from offline.alicloud.lifecycle import TAGS, CloudResource, pair
from offline.alicloud.work import Change, Creation, Deletion, Work
from offline.provider.resource import Field, State

_BUSY: Final = ("OperationConflict", "LastTokenProcessing", "IncorrectStatus")
_ATTACHMENT_BUSY: Final = (
    *_BUSY,
    "IncorrectVSwitchStatus",
    "OperationDenied.Ipv4GatewayNotActive",
    "OperationFailed.LastTokenProcessing",
)
_REPLACE: Final = Property(replace=True)


class RouteTable(CloudResource):
    """alicloud:vpc/routeTable:RouteTable."""

    type: ClassVar[str] = "alicloud:vpc/routeTable:RouteTable"
    product = "vpc"
    noun = "route table"
    id_parameter = "RouteTableId"
    tag_kind = "ROUTETABLE"
    ready = ("Available",)
    fields: ClassVar[Mapping[str, Field]] = {
        "associateType": Property(
            create="AssociateType",
            read="AssociateType",
            computed=True,
            replace=True,
            valid=one_of("VSwitch", "Gateway"),
        ),
        "description": Property(create="Description", read="Description"),
        "name": Property(create="RouteTableName", read="RouteTableName", computed=True, deprecated=True),
        "routePropagationEnable": Property(read="RoutePropagationEnable", computed=True),
        "routeTableName": Property(
            create="RouteTableName", read="RouteTableName", computed=True, conflicts=("name",)
        ),
        "tags": TAGS,
        "vpcId": Property(create="VpcId", read="VpcId", replace=True),
    }
    creation = Creation(action="CreateRouteTable", id="RouteTableId", again=_BUSY)
    changes = (
        Change(
            action="ModifyRouteTableAttributes",
            properties={
                "description": "Description",
                "name": "RouteTableName",
                "routeTableName": "RouteTableName",
            },
            again=_BUSY,
        ),
        Change(
            action="ModifyRouteTableAttributes",
            properties={"routePropagationEnable": "RoutePropagationEnable"},
            late=True,
            again=_BUSY,
        ),
    )
    deletion = Deletion(
        action="DeleteRouteTable",
        again=(
            "OperationConflict",
            "DependencyViolation.RouteEntry",
            "DependencyViolation.VSwitch",
            "IncorrectRouteTableStatus",
            "IncorrectStatus.cbnStatus",
            "OperationDenied.GatewayAssociated",
        ),
    )

    def describe(self, work: Work, id: str) -> Answer | None:
        return table_of(work, id)

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {
            "createTime": answer.get("CreationTime"),
            "resourceGroupId": answer.get("ResourceGroupId"),
            "status": answer.get("Status"),
        }


class RouteTableAttachment(CloudResource):
    """alicloud:vpc/routeTableAttachment:RouteTableAttachment. Its id is TABLE:VSWITCH."""

    type: ClassVar[str] = "alicloud:vpc/routeTableAttachment:RouteTableAttachment"
    product = "vpc"
    noun = "attachment of a route table"
    attachment = True
    id_parameter = "RouteTableId"
    ready = ("Available",)
    fields: ClassVar[Mapping[str, Field]] = {
        "routeTableId": Property(create="RouteTableId", replace=True),
        "vswitchId": Property(create="VSwitchId", replace=True),
    }
    creation = Creation(action="AssociateRouteTable", id="{routeTableId}:{vswitchId}", again=_ATTACHMENT_BUSY)
    deletion = Deletion(action="UnassociateRouteTable", token=True, again=_ATTACHMENT_BUSY)

    def describe(self, work: Work, id: str) -> Answer | None:
        table, vswitch = pair(id, "TABLE:VSWITCH")
        found = table_of(work, table)
        return found if found and vswitch in (found["VSwitchIds"].get("VSwitchId") or ()) else None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:  # noqa: ARG002
        return {
            "routeTableId": answer["RouteTableId"],
            "vswitchId": id.split(":")[1],
            "status": answer.get("Status"),
        }

    def unmade(self, id: str, state: State) -> dict[str, Any]:  # noqa: ARG002
        table, vswitch = pair(id, "TABLE:VSWITCH")
        return {"RouteTableId": table, "VSwitchId": vswitch}


def table_of(work: Work, id: str) -> Answer | None:
    """A route table, by its id."""
    answer = work.found("DescribeRouteTableList", {"RouteTableId": id}) or {}
    tables = (answer.get("RouterTableList") or {}).get("RouterTableListType") or []
    return next((one for one in tables if one["RouteTableId"] == id), None)
