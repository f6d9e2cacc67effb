"""Elastic IP addresses by the SDK. Machines are another service's: what may hold one is played here."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator.api.call import Call
from emulator.api.errors import ApiError
from emulator.cloud import Cloud
from emulator.services.vpc import eips
from emulator.services.vpc.eips import Holder
from emulator.services.vpc.model import Eip
from tests.cloud.conftest import REGION, Refused
from tests.cloud.running import Clock

HOLDERS = {
    "i-one": Holder("vpc-one", IPv4Address("10.0.0.4")),
    "i-two": Holder("vpc-one", IPv4Address("10.0.0.5")),
}


@pytest.fixture(autouse=True)
def holders(monkeypatch: pytest.MonkeyPatch) -> None:
    def lookup(call: Call, holder: str) -> Holder:
        if call.region != REGION or holder not in HOLDERS:
            raise ApiError(404, "InvalidInstanceId.NotFound", "Specified instance does not exist.")
        return HOLDERS[holder]

    monkeypatch.setitem(eips._HOLDERS, "EcsInstance", lookup)


@pytest.fixture
def found(vpc: Vpc) -> Callable[[str], Any]:
    def find(eip: str) -> Any:
        request = m.DescribeEipAddressesRequest(region_id=REGION, allocation_id=eip)
        (one,) = vpc.describe_eip_addresses(request).body.eip_addresses.eip_address
        return one

    return find


def allocate(vpc: Vpc, **given: Any) -> Any:
    return vpc.allocate_eip_address(m.AllocateEipAddressRequest(region_id=REGION, **given)).body


def associate(vpc: Vpc, eip: str, instance: str = "i-one", **given: Any) -> None:
    vpc.associate_eip_address(
        m.AssociateEipAddressRequest(region_id=REGION, allocation_id=eip, instance_id=instance, **given)
    )


def unassociate(vpc: Vpc, eip: str, **given: Any) -> None:
    vpc.unassociate_eip_address(m.UnassociateEipAddressRequest(region_id=REGION, allocation_id=eip, **given))


def release(vpc: Vpc, eip: str) -> None:
    vpc.release_eip_address(m.ReleaseEipAddressRequest(region_id=REGION, allocation_id=eip))


def test_what_is_answered(vpc: Vpc, cloud: Cloud, found: Callable[[str], Any]) -> None:
    made = allocate(
        vpc,
        bandwidth="20",
        internet_charge_type="PayByTraffic",
        isp="BGP",
        name="front",
        description="of the site",
        tag=[m.AllocateEipAddressRequestTag(key="a", value="b")],
    )
    one = found(made.allocation_id)
    assert IPv4Address(one.ip_address) in cloud.public
    assert one.ip_address == made.eip_address
    assert (one.bandwidth, one.eip_bandwidth, one.internet_charge_type) == ("20", "20", "PayByTraffic")
    assert (one.isp, one.name, one.description, one.status) == ("BGP", "front", "of the site", "Available")
    assert (one.charge_type, one.netmode, one.deletion_protection) == ("PostPaid", "public", False)
    assert (one.instance_id, one.instance_type, one.private_ip_address) == ("", "", "")
    assert [(tag.key, tag.value) for tag in one.tags.tag] == [("a", "b")]
    assert made.resource_group_id == one.resource_group_id


def test_what_the_provider_reads_is_there(vpc: Vpc, cloud: Cloud, found: Callable[[str], Any]) -> None:
    """resource_alicloud_eip_address.go and resource_alicloud_eip_association.go of the official provider."""
    eip = allocate(vpc).allocation_id
    associate(vpc, eip)
    answer = found(eip).to_map()
    for name in (
        "Name", "EipBandwidth", "AllocationTime", "DeletionProtection", "Description", "HDMonitorStatus",
        "InternetChargeType", "IpAddress", "ISP", "Mode", "Netmode", "ChargeType", "PublicIpAddressPoolId",
        "ResourceGroupId", "Status", "Zone", "AllocationId", "SecurityProtectionTypes", "Tags",
        "InstanceType", "PrivateIpAddress", "VpcId", "InstanceId",
    ):  # fmt: skip
        assert answer.get(name) is not None, name


def test_its_states(vpc: Vpc, clock: Clock, found: Callable[[str], Any], refused: Refused) -> None:
    eip = allocate(vpc).allocation_id
    associate(vpc, eip)
    one = found(eip)
    assert (one.status, one.instance_id, one.instance_type) == ("Associating", "i-one", "EcsInstance")
    assert (one.private_ip_address, one.vpc_id, one.mode) == ("10.0.0.4", "vpc-one", "NAT")
    for ask in (associate, unassociate, release):
        with refused("IncorrectEipStatus"):
            ask(vpc, eip)
    clock.later(1)
    assert found(eip).status == "InUse"
    for ask in (associate, release):
        with refused("IncorrectEipStatus"):
            ask(vpc, eip)
    unassociate(vpc, eip, instance_id="i-one", instance_type="EcsInstance", force=True)
    one = found(eip)
    assert (one.status, one.instance_id, one.private_ip_address) == ("Unassociating", "i-one", "")
    with refused("IncorrectEipStatus"):
        release(vpc, eip)
    with refused("IncorrectEipStatus"):
        vpc.modify_eip_address_attribute(
            m.ModifyEipAddressAttributeRequest(region_id=REGION, allocation_id=eip, name="x")
        )
    clock.later(1)
    one = found(eip)
    assert (one.status, one.instance_id, one.instance_type, one.vpc_id) == ("Available", "", "", "")
    with refused("IncorrectEipStatus"):
        unassociate(vpc, eip)
    release(vpc, eip)
    with refused("InvalidAllocationId.NotFound", 404):
        release(vpc, eip)


def test_whom_it_may_be_given_to(vpc: Vpc, clock: Clock, refused: Refused) -> None:
    one, two = allocate(vpc).allocation_id, allocate(vpc).allocation_id
    with refused("InvalidInstanceId.NotFound", 404):
        associate(vpc, one, "i-none")
    with refused("InvalidInstanceType.ValueNotSupported"):
        associate(vpc, one, "lb-one", instance_type="SlbInstance")
    with refused("InvalidVpcId.NotFound", 404):
        associate(vpc, one, vpc_id="vpc-two")
    with refused("InvalidPrivateIpAddress.Malformed"):
        associate(vpc, one, private_ip_address="10.0.0.9")
    with refused("InvalidPrivateIpAddress.Malformed"):
        associate(vpc, one, private_ip_address="10.0.0")
    with refused("InvalidMode.ValueNotSupported"):
        associate(vpc, one, mode="MULTI_BINDED")
    with refused("UnsupportedParameter.Emulator"):
        associate(vpc, one, instance_region_id="cn-beijing")
    associate(vpc, one, vpc_id="vpc-one", private_ip_address="10.0.0.4", instance_region_id=REGION)
    with refused("InvalidAssociation.Duplicated"):
        associate(vpc, two)
    associate(vpc, two, "i-two")
    clock.later(1)
    for wrong in ({"instance_id": "i-two"}, {"instance_type": "Nat"}):
        with refused("InvalidInstanceId.NotFound"):
            unassociate(vpc, one, **wrong)
    with refused("InvalidPrivateIpAddress.Malformed"):
        unassociate(vpc, one, private_ip_address="10.0.0.5")


def test_a_holder_that_is_removed_lets_go(vpc: Vpc, cloud: Cloud, found: Callable[[str], Any]) -> None:
    eip = allocate(vpc).allocation_id
    associate(vpc, eip)
    held = eips.of(cloud, "i-one")
    assert held is not None
    assert held.id == eip
    eips.let_go(cloud, "i-one")
    eips.let_go(cloud, "i-two")
    assert eips.of(cloud, "i-one") is None
    assert found(eip).status == "Available"
    release(vpc, eip)


def test_changes(vpc: Vpc, found: Callable[[str], Any], refused: Refused) -> None:
    eip = allocate(vpc, name="a", internet_charge_type="PayByTraffic").allocation_id

    def modify(**given: Any) -> None:
        vpc.modify_eip_address_attribute(
            m.ModifyEipAddressAttributeRequest(region_id=REGION, allocation_id=eip, **given)
        )

    modify(bandwidth="200")
    modify(name="b")
    modify(description="c")
    one = found(eip)
    assert (one.bandwidth, one.name, one.description) == ("200", "b", "c")
    modify(name="", description="")
    assert (found(eip).name, found(eip).description) == ("", "")
    for bad in ("0", "201", "-1", "fast"):
        with refused("InvalidBandwidth.ValueNotSupported"):
            modify(bandwidth=bad)
    with refused("InvalidName.Malformed"):
        modify(name="http://x")
    assert found(eip).bandwidth == "200"
    with refused("InvalidAllocationId.NotFound", 404):
        vpc.modify_eip_address_attribute(
            m.ModifyEipAddressAttributeRequest(region_id="cn-beijing", allocation_id=eip, name="x")
        )


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"bandwidth": "501"}, "InvalidBandwidth.ValueNotSupported"),
        ({"bandwidth": "201", "internet_charge_type": "PayByTraffic"}, "InvalidBandwidth.ValueNotSupported"),
        ({"internet_charge_type": "Free"}, "InvalidInternetChargeType.ValueNotSupported"),
        ({"instance_charge_type": "PrePaid"}, "InvalidInstanceChargeType.ValueNotSupported"),
        ({"isp": "Pigeon"}, "InvalidIspType.ValueNotSupported"),
        ({"netmode": "private"}, "InvalidNetmode"),
        ({"ip_address": "1.2.3.4"}, "UnsupportedParameter.Emulator"),
        ({"description": "http://x"}, "InvalidDescription.Malformed"),
    ],
)
def test_what_is_not_allocated(vpc: Vpc, refused: Refused, given: dict[str, Any], code: str) -> None:
    with refused(code):
        allocate(vpc, **given)


def test_protection(vpc: Vpc, found: Callable[[str], Any], refused: Refused) -> None:
    eip = allocate(vpc).allocation_id

    def protect(on: bool, kind: str = "EIP") -> None:
        vpc.deletion_protection(
            m.DeletionProtectionRequest(region_id=REGION, instance_id=eip, type=kind, protection_enable=on)
        )

    protect(True)
    assert found(eip).deletion_protection is True
    with refused("InvalidOperation.DeletionProtection"):
        release(vpc, eip)
    with refused("InvalidType"):
        protect(False, "NATGW")
    protect(False)
    release(vpc, eip)


def test_lists(vpc: Vpc, clock: Clock) -> None:
    made = [
        allocate(vpc, name=name, tag=[m.AllocateEipAddressRequestTag(key="n", value=name)])
        for name in ("a", "b", "c")
    ]
    associate(vpc, made[1].allocation_id)

    def names(**given: Any) -> list[str]:
        body = vpc.describe_eip_addresses(m.DescribeEipAddressesRequest(region_id=REGION, **given)).body
        return [one.name for one in body.eip_addresses.eip_address]

    assert names() == ["a", "b", "c"]
    assert names(page_size=2, page_number=2) == ["c"]
    assert names(eip_name="b") == ["b"]
    assert names(allocation_id=f"{made[0].allocation_id},{made[2].allocation_id}") == ["a", "c"]
    assert names(eip_address=made[2].eip_address) == ["c"]
    assert names(status="Associating") == ["b"]
    assert names(associated_instance_type="EcsInstance") == ["b"]
    assert names(associated_instance_type="EcsInstance", associated_instance_id="i-one") == ["b"]
    assert names(charge_type="PrePaid") == []
    assert names(isp="BGP_PRO") == []
    assert names(tag=[m.DescribeEipAddressesRequestTag(key="n", value="c")]) == ["c"]
    other = m.DescribeEipAddressesRequest(region_id="cn-beijing")
    assert vpc.describe_eip_addresses(other).body.total_count == 0


def test_tags(vpc: Vpc, found: Callable[[str], Any]) -> None:
    eip = allocate(vpc).allocation_id
    vpc.tag_resources(
        m.TagResourcesRequest(
            region_id=REGION,
            resource_type="EIP",
            resource_id=[eip],
            tag=[m.TagResourcesRequestTag(key="a", value="b")],
        )
    )
    assert [(tag.key, tag.value) for tag in found(eip).tags.tag] == [("a", "b")]


def test_the_quota(vpc: Vpc, refused: Refused) -> None:
    for _ in range(eips.MOST):
        allocate(vpc)
    with refused("QuotaExceeded.Eip"):
        allocate(vpc)


class TestAddresses:
    """Which public addresses are given out."""

    def test_all_are_unlike_and_inside(self, cloud: Cloud) -> None:
        drawn = [eips.draw(cloud) for _ in range(50)]
        assert len(set(drawn)) == 50
        kept = set(list(cloud.public.subnets(prefixlen_diff=eips.ROUTERS_OWN))[-1])
        assert not kept & set(drawn)
        assert cloud.public[0] not in drawn
        assert cloud.public[1] not in drawn

    def test_a_small_network_runs_out(self, cloud: Cloud, vpc: Vpc, refused: Refused) -> None:
        cloud.public = IPv4Network("198.18.64.0/29")
        made = [allocate(vpc) for _ in range(6)]
        assert {IPv4Address(one.eip_address) for one in made} == set(list(cloud.public)[2:])
        with refused("OperationFailed.EipNotEnough"):
            allocate(vpc)
        release(vpc, made[3].allocation_id)
        assert allocate(vpc).eip_address == made[3].eip_address

    def test_a_released_one_comes_back_last(self, vpc: Vpc) -> None:
        one = allocate(vpc)
        release(vpc, one.allocation_id)
        assert allocate(vpc).eip_address != one.eip_address

    def test_those_of_others_are_left_out(self, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(eips, "_TAKEN", [*eips._TAKEN])
        eips.takes_public(lambda cloud: [cloud.public[2], cloud.public[4]])
        assert [eips.draw(cloud) for _ in range(2)] == [cloud.public[3], cloud.public[5]]

    def test_a_refused_call_takes_none(self, cloud: Cloud, vpc: Vpc, refused: Refused) -> None:
        with refused("DryRunOperation", 412):
            cloud_before = cloud.store.fact("public")
            raise_dry_run(vpc)
        assert cloud.store.fact("public") == cloud_before
        assert cloud.store.all(Eip) == []


def raise_dry_run(vpc: Vpc) -> None:
    """AllocateEipAddress has no DryRun in the SDK: its general call sends any parameter."""
    from alibabacloud_tea_openapi.models import OpenApiRequest, Params
    from darabonba.runtime import RuntimeOptions

    params = Params(
        action="AllocateEipAddress",
        version="2016-04-28",
        protocol="HTTP",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
    request = OpenApiRequest(query={"RegionId": REGION, "DryRun": "true"})
    vpc.call_api(params, request, RuntimeOptions())


def test_the_mode_that_there_is(vpc: Vpc, refused: Refused) -> None:
    eip = allocate(vpc).allocation_id
    vpc.modify_eip_forward_mode(m.ModifyEipForwardModeRequest(region_id=REGION, instance_id=eip, mode="NAT"))
    with refused("InvalidMode.ValueNotSupported"):
        asked = m.ModifyEipForwardModeRequest(region_id=REGION, instance_id=eip, mode="MULTI_BINDED")
        vpc.modify_eip_forward_mode(asked)
    with refused("InvalidAllocationId.NotFound", 404):
        vpc.modify_eip_forward_mode(
            m.ModifyEipForwardModeRequest(region_id=REGION, instance_id="e", mode="NAT")
        )


def test_it_moves_to_another_resource_group(vpc: Vpc, found: Callable[[str], Any], refused: Refused) -> None:
    eip = allocate(vpc).allocation_id

    def move(group: str, kind: str = "EIP") -> None:
        vpc.move_resource_group(
            m.MoveResourceGroupRequest(
                region_id=REGION, resource_type=kind, resource_id=eip, new_resource_group_id=group
            )
        )

    move("rg-other")
    assert found(eip).resource_group_id == "rg-other"
    with refused("InvalidResourceGroup.NotFound", 404):
        move("other")
    with refused("InvalidResourceType.NotFound"):
        move("rg-other", "NATGATEWAY")
    with refused("InvalidResourceId.NotFound", 404):
        move("rg-other", "VPC")
