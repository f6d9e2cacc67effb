"""vSwitches by the SDK."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest
from alibabacloud_ecs20140526 import models as e
from alibabacloud_ecs20140526.client import Client as Ecs
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator.access import AccessKey
from emulator.api.call import Call, Caller
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.vpc import vswitches
from emulator.services.vpc.model import VSwitch
from tests.cloud.conftest import REGION, Refused
from tests.cloud.machines import moving, run
from tests.cloud.running import Clock
from tests.cloud.test_vpc import create, vswitch

__all__ = ["moving"]  # a fixture


def attributes(vpc: Vpc, one: str) -> Any:
    request = m.DescribeVSwitchAttributesRequest(region_id=REGION, v_switch_id=one)
    return vpc.describe_vswitch_attributes(request).body


def delete(vpc: Vpc, one: str) -> None:
    vpc.delete_vswitch(m.DeleteVSwitchRequest(region_id=REGION, v_switch_id=one))


def test_what_is_answered(vpc: Vpc, clock: Clock) -> None:
    net = create(vpc, clock)
    tag = [m.CreateVSwitchRequestTag(key="a", value="b")]
    one = vswitch(vpc, clock, net, v_switch_name="front", description="d", tag=tag)
    found = attributes(vpc, one)
    assert (found.v_switch_name, found.description, found.vpc_id) == ("front", "d", net)
    assert (found.cidr_block, found.zone_id, found.status) == ("10.0.1.0/24", "cn-hangzhou-h", "Available")
    assert found.available_ip_address_count == 252
    assert found.route_table.route_table_type == "System"
    (row,) = vpc.describe_vswitches(m.DescribeVSwitchesRequest(region_id=REGION)).body.v_switches.v_switch
    assert (row.v_switch_id, row.vpc_id) == (one, net)
    answer = found.to_map()
    for name in (
        "CidrBlock", "CreationTime", "Description", "Ipv6CidrBlock", "IsDefault", "Status", "VSwitchName",
        "VpcId", "ZoneId", "Tags",
    ):  # fmt: skip
        assert answer.get(name) is not None, f"{name}, which the official provider reads"


def test_it_is_pending_first(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    request = m.CreateVSwitchRequest(
        region_id=REGION, vpc_id=create(vpc, clock), zone_id="cn-hangzhou-h", cidr_block="10.0.1.0/24"
    )
    one = vpc.create_vswitch(request).body.v_switch_id
    assert attributes(vpc, one).status == "Pending"
    with refused("IncorrectVSwitchStatus"):
        delete(vpc, one)
    clock.later(1)
    delete(vpc, one)
    with refused("InvalidVswitchID.NotFound", 404):
        attributes(vpc, one)


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ({"cidr_block": "10.0.1.0/30"}, "InvalidCidrBlock.Malformed", 400),
        ({"cidr_block": "10.0.1.1/24"}, "InvalidCidrBlock.Malformed", 400),
        ({"cidr_block": "10.1.1.0/24"}, "InvalidCidrBlock", 400),
        ({"cidr_block": "10.0.0.128/25"}, "InvalidCidrBlock.Overlapped", 400),
        ({"zone_id": "cn-hangzhou-z"}, "InvalidZoneId.NotFound", 404),
        ({"zone_id": "cn-beijing-a"}, "InvalidZoneId.NotFound", 404),
        ({"vpc_id": "vpc-none"}, "InvalidVpcId.NotFound", 404),
        ({"v_switch_name": "https://x"}, "InvalidVSwitchName.Malformed", 400),
        ({"ipv_6cidr_block": 0}, "OperationFailed.Ipv6Disabled", 400),
        ({"ipv_6cidr_block": 256}, "InvalidIpv6CidrBlock", 400),
        ({"vpc_ipv_6cidr_block": "2408::/56"}, "UnsupportedParameter.Emulator", 400),
    ],
)
def test_what_is_not_made(
    vpc: Vpc, clock: Clock, refused: Refused, given: dict[str, Any], code: str, status: int
) -> None:
    net = create(vpc, clock)
    vswitch(vpc, clock, net, "10.0.0.0/24")
    usual = {"vpc_id": net, "zone_id": "cn-hangzhou-h", "cidr_block": "10.0.1.0/24"}
    with refused(code, status):
        vpc.create_vswitch(m.CreateVSwitchRequest(region_id=REGION, **(usual | given)))


def test_ipv6(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    net = create(vpc, clock, enable_ipv_6=True)
    one = vswitch(vpc, clock, net, ipv_6cidr_block=7)
    found = attributes(vpc, one)
    assert found.ipv_6cidr_block.endswith("07::/64")
    with refused("InvalidIpv6CidrBlock.Overlapped"):
        vswitch(vpc, clock, net, "10.0.2.0/24", ipv_6cidr_block=7)


def test_changes(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    one = vswitch(vpc, clock, create(vpc, clock), v_switch_name="a", description="b")

    def modify(**given: Any) -> None:
        vpc.modify_vswitch_attribute(
            m.ModifyVSwitchAttributeRequest(region_id=REGION, v_switch_id=one, **given)
        )

    modify(v_switch_name="c")
    assert (attributes(vpc, one).v_switch_name, attributes(vpc, one).description) == ("c", "b")
    modify(description="")
    assert (attributes(vpc, one).v_switch_name, attributes(vpc, one).description) == ("c", "")
    with refused("InvalidVSwitchName.Malformed"):
        modify(v_switch_name="http://x")


def test_lists(vpc: Vpc, clock: Clock) -> None:
    net = create(vpc, clock)
    ids = [vswitch(vpc, clock, net, f"10.0.{n}.0/24", v_switch_name=f"n{n}") for n in range(3)]

    def listed(**given: Any) -> list[str]:
        body = vpc.describe_vswitches(m.DescribeVSwitchesRequest(region_id=REGION, **given)).body
        return [one.v_switch_id for one in body.v_switches.v_switch]

    assert listed() == ids
    assert listed(vpc_id=net, page_size=2, page_number=2) == ids[2:]
    assert listed(vpc_id="vpc-none") == []
    assert listed(v_switch_id=ids[1]) == [ids[1]]
    assert listed(v_switch_name="n2") == [ids[2]]
    assert listed(zone_id="cn-hangzhou-i") == []
    assert listed(is_default=True) == []


class TestLeases:
    """The addresses of a vSwitch, as machines get them."""

    @pytest.fixture
    def one(self, vpc: Vpc, clock: Clock) -> str:
        return vswitch(vpc, clock, create(vpc, clock), "10.0.1.0/29")

    @pytest.fixture
    def call(self, cloud: Cloud, key: AccessKey) -> Call:
        caller = Caller(cloud.account, "Account", cloud.account, "", "root")
        return Call(cloud, "RunInstances", REGION, caller, "", cloud.now())

    def kept(self, cloud: Cloud, one: str) -> VSwitch:
        return vswitches.find(cloud, REGION, one)

    def test_from_the_top_until_none_is_left(self, cloud: Cloud, vpc: Vpc, call: Call, one: str) -> None:
        """Of 8 addresses the first and the last three are the cloud's own."""
        given = [vswitches.lease(call, self.kept(cloud, one), f"i-{n}").address for n in range(4)]
        assert [str(address) for address in given] == ["10.0.1.4", "10.0.1.3", "10.0.1.2", "10.0.1.1"]
        assert attributes(vpc, one).available_ip_address_count == 0
        with pytest.raises(ApiError, match=r"InvalidVSwitchId\.IpNotEnough"):
            vswitches.lease(call, self.kept(cloud, one), "i-5")
        vswitches.give_back(cloud, "i-2")
        assert vswitches.lease(call, self.kept(cloud, one), "i-6").address == IPv4Address("10.0.1.2")

    @pytest.mark.parametrize("wanted", ["10.0.1.0", "10.0.1.5", "10.0.1.7", "10.0.2.1"])
    def test_what_is_not_for_machines(self, cloud: Cloud, call: Call, one: str, wanted: str) -> None:
        with pytest.raises(ApiError, match=r"InvalidPrivateIpAddress\.Malformed"):
            vswitches.lease(call, self.kept(cloud, one), "i-1", IPv4Address(wanted))

    def test_a_taken_one(self, cloud: Cloud, call: Call, one: str) -> None:
        vswitches.lease(call, self.kept(cloud, one), "i-1", IPv4Address("10.0.1.2"))
        with pytest.raises(ApiError, match=r"InvalidPrivateIpAddress\.Duplicated"):
            vswitches.lease(call, self.kept(cloud, one), "i-2", IPv4Address("10.0.1.2"))

    def test_one_in_use_is_not_deleted(
        self, cloud: Cloud, call: Call, vpc: Vpc, one: str, refused: Refused
    ) -> None:
        vswitches.lease(call, self.kept(cloud, one), "i-1")
        with refused("DependencyViolation"):
            delete(vpc, one)
        vswitches.give_back(cloud, "i-1")
        delete(vpc, one)


def test_ipv6_comes_and_goes(vpc: Vpc, ecs: Ecs, clock: Clock, moving: Cloud, refused: Refused) -> None:
    net = create(vpc, clock, enable_ipv_6=True)
    one, other = vswitch(vpc, clock, net), vswitch(vpc, clock, net, "10.0.2.0/24", ipv_6cidr_block=7)

    def change(**given: Any) -> None:
        vpc.modify_vswitch_attribute(
            m.ModifyVSwitchAttributeRequest(region_id=REGION, v_switch_id=one, **given)
        )

    with refused("MissingParameter"):
        change(enable_ipv_6=True)
    with refused("InvalidIpv6CidrBlock.Overlapped"):
        change(enable_ipv_6=True, ipv_6cidr_block=7)
    with refused("InvalidVpcIpv6CidrBlock"):
        change(enable_ipv_6=True, ipv_6cidr_block=3, vpc_ipv_6cidr_block="2001:db8::/56")
    change(enable_ipv_6=True, ipv_6cidr_block=3)
    given = attributes(vpc, one)
    assert given.enabled_ipv_6 and given.ipv_6cidr_block == attributes(vpc, other).ipv_6cidr_block.replace(
        "07::/64", "03::/64"
    )
    change(enable_ipv_6=True, ipv_6cidr_block=3)  # as it is
    with refused("DependencyViolation.Ipv6Address"):
        change(enable_ipv_6=True, ipv_6cidr_block=4)
    group = ecs.create_security_group(e.CreateSecurityGroupRequest(region_id=REGION, vpc_id=net)).body
    place = {"vswitch": one, "group": group.security_group_id}
    [machine] = run(ecs, place, ipv_6address_count=1)
    with refused("DependencyViolation.Ipv6Address"):
        change(enable_ipv_6=False)
    clock.later(60)
    ecs.delete_instance(e.DeleteInstanceRequest(instance_id=machine, force=True))
    change(enable_ipv_6=False)
    assert (attributes(vpc, one).enabled_ipv_6, attributes(vpc, one).ipv_6cidr_block) == (False, "")
