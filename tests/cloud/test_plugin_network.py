"""VPCs, vSwitches and routes through the plugin."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from emulator.access import AccessKey
from emulator.cloud import Cloud
from emulator.services.vpc import eips
from emulator.services.vpc.model import RouteEntry
from tests.cloud.plugins import REGION, Life, live, running
from tests.cloud.running import Listener
from tests.docker.plugin import UNKNOWN, CheckFailed, Made, PluginClient, plain

if TYPE_CHECKING:
    from alibabacloud_vpc20160428.client import Client as Vpc

NETWORK = "alicloud:vpc/network:Network"
SWITCH = "alicloud:vpc/switch:Switch"
ROUTE_TABLE = "alicloud:vpc/routeTable:RouteTable"
ROUTE_ENTRY = "alicloud:vpc/routeEntry:RouteEntry"
ADDRESS = "alicloud:ecs/eipAddress:EipAddress"
ASSOCIATION = "alicloud:ecs/eipAssociation:EipAssociation"
ATTACHMENT = "alicloud:vpc/routeTableAttachment:RouteTableAttachment"


@pytest.fixture
def plugin(cloud: Cloud, key: AccessKey, server: Listener) -> Iterator[PluginClient]:
    with running(cloud, key, server) as made:
        yield made


@pytest.fixture
def network(plugin: PluginClient) -> Made:
    return plugin.create(NETWORK, {"cidrBlock": "10.0.0.0/8", "vpcName": "main"})


def test_a_vpc_lives(plugin: PluginClient, vpc: Vpc) -> None:
    from alibabacloud_vpc20160428 import models

    def outside(made: Made) -> dict[str, Any]:
        vpc.modify_vpc_attribute(
            models.ModifyVpcAttributeRequest(region_id=REGION, vpc_id=made.id, description="by hand")
        )
        return {"description": "by hand"}

    live(
        plugin,
        Life(
            NETWORK,
            {
                "cidrBlock": "10.0.0.0/8",
                "vpcName": "main",
                "description": "one",
                "tags": {"a": "1", "b": "2"},
            },
            updated={"vpcName": "other", "description": "two", "tags": {"a": "1", "c": "3"}},
            replaced={"userCidrs": ["1.2.3.0/24"]},
            outside=outside,
            outputs=("routerId", "routeTableId", "routerTableId", "resourceGroupId", "createTime", "status"),
        ),
    )


def test_what_a_vpc_is_not_created_with_follows(plugin: PluginClient) -> None:
    live(
        plugin,
        Life(
            NETWORK,
            {
                "cidrBlock": "10.0.0.0/8",
                "vpcName": "late",
                "enableIpv6": True,
                "dnsHostnameStatus": "ENABLED",
                "systemRouteTableName": "routes",
                "systemRouteTableDescription": "of the VPC",
                "secondaryCidrBlocks": ["192.168.0.0/16"],
                "userCidrs": ["1.2.3.0/24"],
            },
            updated={"systemRouteTableName": "ways", "dnsHostnameStatus": "DISABLED"},
            hidden=frozenset({"secondaryCidrBlocks"}),  # deprecated: an import does not write it
        ),
    )


def test_a_preview_knows_what_is_given_and_no_more(plugin: PluginClient, network: Made) -> None:
    foreseen = plugin.preview(NETWORK, {"cidrBlock": "10.0.0.0/8"})
    assert foreseen["cidrBlock"] == "10.0.0.0/8"
    assert foreseen["routeTableId"] is UNKNOWN and foreseen["vpcName"] is UNKNOWN
    assert plugin.preview(SWITCH, {"vpcId": UNKNOWN, "zoneId": "cn-hangzhou-h"})["vpcId"] is UNKNOWN


def test_what_is_left_out_stays_as_it_is(plugin: PluginClient, network: Made) -> None:
    """Of computed properties; a description that is taken away becomes empty."""
    described = plugin.update(network, {"cidrBlock": "10.0.0.0/8", "description": "x", "tags": {"a": "b"}})
    assert described.state["vpcName"] == "main"
    bare = plugin.update(described, {})
    assert plain(bare.state)["description"] == "" and bare.state["tags"] == {}
    assert bare.state["cidrBlock"] == "10.0.0.0/8"


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"vpcName": "a", "name": "b"}, "vpcName", "conflicts with name"),
        ({"dnsHostnameStatus": "ON"}, "dnsHostnameStatus", "must be one of ENABLED, DISABLED"),
        ({"isDefault": True}, "isDefault", "default VPC"),
        ({"dryRun": True}, "dryRun", "pulumi preview"),
        ({"ipv4IpamPoolId": "ipam-1"}, "ipv4IpamPoolId", "not served by this plugin"),
        ({"cidr": "10.0.0.0/8"}, "cidr", "there is no such property"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_made(
    plugin: PluginClient, inputs: dict[str, Any], path: str, reason: str
) -> None:
    with pytest.raises(CheckFailed) as failed:
        plugin.check(NETWORK, inputs)
    assert reason in failed.value.failures[path]


def test_a_vswitch_lives(plugin: PluginClient, network: Made, vpc: Vpc) -> None:
    from alibabacloud_vpc20160428 import models

    def outside(made: Made) -> dict[str, Any]:
        vpc.tag_resources(
            models.TagResourcesRequest(
                region_id=REGION,
                resource_type="VSWITCH",
                resource_id=[made.id],
                tag=[models.TagResourcesRequestTag(key="by", value="hand")],
            )
        )
        return {"tags": {"by": "hand"}}

    live(
        plugin,
        Life(
            SWITCH,
            {"vpcId": network.id, "zoneId": "cn-hangzhou-h", "cidrBlock": "10.1.0.0/24", "vswitchName": "a"},
            updated={"vswitchName": "b", "description": "first"},
            replaced={"cidrBlock": "10.1.1.0/24", "zoneId": "cn-hangzhou-i", "vpcId": UNKNOWN},
            outside=outside,
            outputs=("createTime", "status", "availabilityZone"),
        ),
    )


def test_a_route_table_lives(plugin: PluginClient, network: Made, vpc: Vpc) -> None:
    from alibabacloud_vpc20160428 import models

    def outside(made: Made) -> dict[str, Any]:
        vpc.modify_route_table_attributes(
            models.ModifyRouteTableAttributesRequest(
                region_id=REGION, route_table_id=made.id, route_table_name="by-hand"
            )
        )
        return {"routeTableName": "by-hand"}

    live(
        plugin,
        Life(
            ROUTE_TABLE,
            {"vpcId": network.id, "routeTableName": "a", "description": "x", "tags": {"a": "1"}},
            updated={"routeTableName": "b", "description": None, "tags": {"b": "2"}},
            replaced={"vpcId": UNKNOWN},
            outside=outside,
            outputs=("createTime", "status", "resourceGroupId", "associateType"),
        ),
    )


def test_an_attachment_of_a_route_table_lives(plugin: PluginClient, network: Made) -> None:
    table = plugin.create(ROUTE_TABLE, {"vpcId": network.id})
    switch = plugin.create(
        SWITCH, {"vpcId": network.id, "zoneId": "cn-hangzhou-h", "cidrBlock": "10.1.0.0/24"}
    )
    live(
        plugin,
        Life(
            ATTACHMENT,
            {"routeTableId": table.id, "vswitchId": switch.id},
            replaced={"routeTableId": UNKNOWN, "vswitchId": UNKNOWN},
            outputs=("status",),
        ),
    )
    with pytest.raises(grpc.RpcError, match="it is TABLE:VSWITCH"):
        plugin.import_(ATTACHMENT, table.id)


def test_a_vswitch_is_in_one_zone(plugin: PluginClient, network: Made) -> None:
    with pytest.raises(CheckFailed, match="one of zoneId, availabilityZone is required"):
        plugin.check(SWITCH, {"vpcId": network.id, "cidrBlock": "10.1.0.0/24"})
    with pytest.raises(CheckFailed, match="only one of"):
        plugin.check(SWITCH, {"zoneId": "a", "availabilityZone": "a"})


def test_a_route_lives(plugin: PluginClient, network: Made) -> None:
    table = plain(network.state)["routeTableId"]
    route = {
        "routeTableId": table,
        "destinationCidrblock": "192.168.7.0/24",
        "nexthopType": "Instance",
        "nexthopId": "i-of-a-test",
    }
    made = plugin.create(ROUTE_ENTRY, route)
    assert made.id == f"{table}:{plain(network.state)['routerId']}:192.168.7.0/24:Instance:i-of-a-test"
    assert made.inputs["__defaults"] == ["name"] and made.inputs["name"].startswith("test-")
    plugin.delete(made)
    live(
        plugin,
        Life(
            ROUTE_ENTRY,
            {**route, "name": "to-the-office", "description": "x"},
            replaced={"nexthopId": "i-other", "destinationCidrblock": "192.168.8.0/24", "name": "other"},
            outputs=("routerId",),
        ),
    )


def test_routes_of_one_table_wait_for_each_other(plugin: PluginClient, network: Made, cloud: Cloud) -> None:
    table = plain(network.state)["routeTableId"]
    failed: list[Exception] = []

    def one(i: int) -> None:
        inputs = {
            "routeTableId": table,
            "destinationCidrblock": f"192.168.{i}.0/24",
            "nexthopType": "Instance",
            "nexthopId": "i-of-a-test",
        }
        try:
            plugin.create(ROUTE_ENTRY, inputs, name=f"r{i}")
        except grpc.RpcError as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(i,)) for i in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == [] and len(cloud.store.all(RouteEntry, REGION)) == 5


def test_an_association_of_an_address_lives(
    plugin: PluginClient, network: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder = eips.Holder(vpc=network.id, private=IPv4Address("10.1.0.7"))
    monkeypatch.setitem(eips._HOLDERS, "EcsInstance", lambda call, id: holder)
    address = plugin.create(ADDRESS, {"bandwidth": "5"})
    live(
        plugin,
        Life(
            ASSOCIATION,
            {"allocationId": address.id, "instanceId": "i-of-a-test"},
            replaced={"instanceId": "i-other", "allocationId": UNKNOWN},
            outputs=("instanceType", "privateIpAddress", "vpcId", "mode"),
        ),
    )
