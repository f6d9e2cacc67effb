"""A route. Its id is TABLE:ROUTER:DESTINATION:HOP TYPE:HOP, as the official provider's is."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import ClassVar, Final

from offline.alicloud.api import Answer, Refused, client_token
from offline.alicloud.field import Property, length
from offline.alicloud.lifecycle import CloudResource
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import Context, Field, Inputs, ResourceError, State

_BUSY: Final = (
    "TaskConflict",
    "OperationConflict",
    "IncorrectRouteEntryStatus",
    "IncorrectVpcStatus",
    "IncorrectVSwitchStatus",
    "IncorrectHaVipStatus",
    "IncorrectInstanceStatus",
    "InvalidVBRStatus",
    "IncorrectStatus",
    "LastTokenProcessing",
    "OperationFailed.DistibuteLock",
)
# The service does one route at a time and refuses the next: those of this process wait for each other here.
_ONE_AT_A_TIME: Final = threading.Lock()


class RouteEntry(CloudResource):
    """alicloud:vpc/routeEntry:RouteEntry. Nothing about a route can change in place."""

    type: ClassVar[str] = "alicloud:vpc/routeEntry:RouteEntry"
    product = "vpc"
    noun = "route"
    ready = ("Available",)
    fields: ClassVar[Mapping[str, Field]] = {
        "description": Property(create="Description", read="Description", replace=True),
        "destinationCidrblock": Property(
            create="DestinationCidrBlock", read="DestinationCidrBlock", replace=True
        ),
        "name": Property(create="RouteEntryName", read="RouteEntryName", replace=True, valid=length(2, 128)),
        "nexthopId": Property(create="NextHopId", read="InstanceId", replace=True),
        "nexthopType": Property(create="NextHopType", read="NextHopType", replace=True),
        "routeTableId": Property(create="RouteTableId", read="RouteTableId", replace=True),
    }
    creation = Creation(action="CreateRouteEntry", id="RouteEntryId", again=_BUSY, seconds=600)
    deletion = Deletion(action="DeleteRouteEntry", again=(*_BUSY, "Forbbiden"), seconds=600)

    def make(self, work: Work, inputs: Inputs) -> str:
        table = _table(work, inputs["routeTableId"])
        if table is None:
            raise ResourceError(
                f"there is no route table {inputs['routeTableId']}", fix="create it first, or correct the id"
            )
        given = {**self.parameters(inputs), "ClientToken": client_token()}
        place = str(inputs.get("destinationCidrblock", "")).replace(":", "_")
        hop = f"{inputs.get('nexthopType', '')}:{inputs.get('nexthopId', '')}"
        id = f"{inputs['routeTableId']}:{table['VRouterId']}:{place}:{hop}"
        with _ONE_AT_A_TIME:
            work(self.creation.action, given, again=self.creation.again)
        return id

    def describe(self, work: Work, id: str) -> Answer | None:
        table, router, place, kind, hop = _parts(id)
        found = _table(work, table)
        for one in ((found or {}).get("RouteEntrys") or {}).get("RouteEntry") or []:
            at = one["DestinationCidrBlock"] == place.replace("_", ":")
            if at and (one["NextHopType"], one["InstanceId"]) == (kind, hop):
                return {**one, "RouteTableId": table, "RouterId": router}
        return None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:
        return super().state_of(work, id, answer) | {"routerId": answer["RouterId"]}

    def delete(self, ctx: Context, id: str, state: State) -> None:  # noqa: ARG002
        work = Work.of(ctx, self.product, self.deletion.seconds)
        table, _, place, _, hop = _parts(id)
        given = {"RouteTableId": table, "DestinationCidrBlock": place.replace("_", ":"), "NextHopId": hop}
        try:
            with _ONE_AT_A_TIME:
                work(self.deletion.action, given, again=self.deletion.again)
        except Refused as refused:
            if not refused.missing:
                raise
        gone = "the route to go"
        work.patience.until(lambda: True if self.describe(work, id) is None else None, gone)


def _parts(id: str) -> list[str]:
    parts = id.split(":")
    if len(parts) != 5:
        raise ResourceError(
            f"'{id}' is no id of a route",
            fix="it is TABLE:ROUTER:DESTINATION:HOP TYPE:HOP, like vtb-1:vrt-1:10.9.0.0/16:Instance:i-1",
        )
    return parts


def _table(work: Work, id: str) -> Answer | None:
    answer = work.found("DescribeRouteTables", {"RouteTableId": id}) or {}
    tables = (answer.get("RouteTables") or {}).get("RouteTable") or []
    return next((one for one in tables if one["RouteTableId"] == id), None)
