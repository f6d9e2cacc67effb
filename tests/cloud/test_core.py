"""What all services have in common: parameters, tokens, regions, ids, what a restart leaves."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from alibabacloud_vpc20160428 import models as m
from alibabacloud_vpc20160428.client import Client as Vpc

from emulator.cloud import Cloud, open_cloud
from emulator.regions import REGIONS, zones
from emulator.server import SERVICES
from emulator.services.vpc.model import RouteTable, VSwitch
from emulator.services.vpc.model import Vpc as KeptVpc
from tests.cloud.conftest import REGION, Refused
from tests.cloud.raw import Raw
from tests.cloud.running import Clock, Listener


def test_an_unknown_action(raw: Raw) -> None:
    answer = raw.ask("vpc", "CreateCastle", RegionId=REGION)
    assert (answer.status, answer.code) == (404, "InvalidAction.NotFound")
    assert "CreateCastle" in answer.body["Message"]


def test_an_action_of_another_service(raw: Raw) -> None:
    assert raw.ask("sts", "CreateVpc", RegionId=REGION).code == "InvalidAction.NotFound"


def test_an_unknown_version(raw: Raw) -> None:
    answer = raw.ask("vpc", "CreateVpc", RegionId=REGION, Version="1999-12-31")
    assert (answer.status, answer.code) == (400, "InvalidVersion")


def test_no_action_at_all(raw: Raw) -> None:
    answer = raw.ask("vpc", "", RegionId=REGION)
    assert answer.status in (400, 404)
    assert answer.code in ("MissingAction", "InvalidAction.NotFound")


@pytest.mark.parametrize(
    ("action", "given", "code"),
    [
        ("DescribeVpcs", {}, "MissingRegionId"),
        ("DeleteVpc", {"RegionId": REGION}, "MissingVpcId"),
        ("CreateVSwitch", {"RegionId": REGION, "VpcId": "vpc-1", "ZoneId": "z"}, "MissingCidrBlock"),
        ("TagResources", {"RegionId": REGION, "ResourceType": "VPC"}, "MissingResourceId"),
        ("UnTagResources", {"RegionId": REGION, "ResourceType": "VPC", "ResourceId.1": "v"},
         "MissingParameter"),
        ("TagResources", {"RegionId": REGION, "ResourceType": "VPC", "ResourceId.1": "v", "Tag.1.Value": "x"},
         "MissingParameter"),
    ],
)  # fmt: skip
def test_a_missing_parameter(raw: Raw, action: str, given: dict[str, Any], code: str) -> None:
    answer = raw.ask("vpc", action, **given)
    assert (answer.status, answer.code) == (400, code)


@pytest.mark.parametrize(
    ("action", "given", "code"),
    [
        ("CreateVpc", {"CidrBlock": "10.0.0.0"}, "InvalidCidrBlock.Malformed"),
        ("CreateVpc", {"CidrBlock": "10.0.0.1/16"}, "InvalidCidrBlock.Malformed"),
        ("CreateVpc", {"CidrBlock": "10.0.0.0/255.255.0.0"}, "InvalidCidrBlock.Malformed"),
        ("CreateVpc", {"CidrBlock": "10.0.0.0/7"}, "InvalidCidrBlock.Malformed"),
        ("CreateVpc", {"CidrBlock": "10.0.0.0/29"}, "InvalidCidrBlock.Malformed"),
        ("CreateVpc", {"CidrBlock": "127.0.0.0/16"}, "InvalidCidrBlock.Malformed"),
        ("CreateVpc", {"CidrBlock": "100.64.0.0/16"}, "InvalidCidrBlock.Malformed"),
        ("CreateVpc", {"VpcName": "http://x"}, "InvalidVpcName.Malformed"),
        ("CreateVpc", {"VpcName": "x" * 129}, "InvalidVpcName.Malformed"),
        ("CreateVpc", {"Description": "https://x"}, "InvalidDescription.Malformed"),
        ("CreateVpc", {"UserCidr": "1.2.3"}, "InvalidUserCidr.Malformed"),
        ("CreateVpc", {"EnableIpv6": "perhaps"}, "InvalidEnableIpv6"),
        ("CreateVpc", {"ClientToken": "x" * 65}, "InvalidClientToken"),
        ("CreateVpc", {"ClientToken": "ü"}, "InvalidClientToken"),
        ("CreateVpc", {"Tag.1.Key": "acs:x"}, "InvalidTagKey.Malformed"),
        ("CreateVpc", {"Tag.1.Key": "a", "Tag.2.Key": "a"}, "Duplicate.TagKey"),
        ("CreateVpc", {f"Tag.{n}.Key": f"k{n}" for n in range(1, 22)}, "InvalidTagCount"),
        ("CreateVpc", {"Tag": "a", "Tag.1.Key": "b"}, "InvalidTag.1.Key"),
        ("CreateVpc", {"Tag.0.Key": "b"}, "InvalidTag"),
        ("CreateVpc", {"Tag.100000.Key": "b"}, "InvalidTag"),
        ("CreateVpc", {"Tag.x.Key": "b"}, "InvalidTag"),
        ("DescribeVpcs", {"PageNumber": "0"}, "InvalidPageNumber"),
        ("DescribeVpcs", {"PageNumber": "one"}, "InvalidPageNumber"),
        ("DescribeVpcs", {"PageSize": "51"}, "InvalidPageSize"),
        ("TagResources", {"ResourceType": "MOON", "ResourceId.1": "v", "Tag.1.Key": "a"},
         "InvalidResourceType"),
        ("DescribeVpcs", {"Format": "XML"}, "UnsupportedParameter.Emulator"),
    ],
)  # fmt: skip
def test_a_malformed_parameter(raw: Raw, action: str, given: dict[str, Any], code: str) -> None:
    answer = raw.ask("vpc", action, RegionId=REGION, **given)
    assert (answer.status, answer.code) == (400, code)


def test_a_parameter_that_is_not_served_is_refused_by_name(vpc: Vpc, refused: Refused) -> None:
    with pytest.raises(Exception, match="Ipv6CidrBlock") as caught:
        vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, ipv_6cidr_block="2408::/56"))
    assert caught.value.code == "UnsupportedParameter.Emulator"  # type: ignore[attr-defined]
    assert vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION)).body.total_count == 0


def test_what_is_wrong_says_more_than_what_is_not_served(raw: Raw) -> None:
    answer = raw.ask("vpc", "CreateVpc", RegionId=REGION, Moon="1", CidrBlock="x")
    assert answer.code == "InvalidCidrBlock.Malformed"


def test_one_name_in_two_places_with_two_values(raw: Raw) -> None:
    answer = raw.http.post("/?Action=DescribeVpcs", data={"Action": "CreateVpc"})
    assert answer.json()["Code"] == "InvalidAction"
    answer = raw.http.post("/?Action=DescribeVpcs&Action=CreateVpc")
    assert answer.json()["Code"] == "InvalidAction"


def test_a_body_that_is_no_request(raw: Raw) -> None:
    answer = raw.http.post("/?Action=CreateVpc", content=b"x" * (1 << 20) + b"x")
    assert (answer.status_code, answer.json()["Code"]) == (413, "RequestEntityTooLarge")
    answer = raw.http.post("/?Action=CreateVpc", content=b"<a/>", headers={"content-type": "text/xml"})
    assert answer.status_code == 415
    for body in (b"[1]", b"{", b"\xff", b"[" * 500_000):
        answer = raw.http.post(
            "/?Action=CreateVpc", content=body, headers={"content-type": "application/json"}
        )
        assert (answer.status_code, answer.json()["Code"]) == (400, "InvalidBody")


def test_an_unknown_region(vpc: Vpc, refused: Refused) -> None:
    with refused("InvalidRegionId.NotFound", 404):
        vpc.describe_vpcs(m.DescribeVpcsRequest(region_id="mars-north-1"))


def test_regions_do_not_see_each_other(vpc: Vpc, refused: Refused) -> None:
    made = vpc.create_vpc(m.CreateVpcRequest(region_id="cn-beijing")).body
    assert vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION)).body.total_count == 0
    there = vpc.describe_vpcs(m.DescribeVpcsRequest(region_id="cn-beijing")).body
    assert [one.vpc_id for one in there.vpcs.vpc] == [made.vpc_id]
    with refused("InvalidVpcId.NotFound", 404):
        vpc.describe_vpc_attribute(m.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=made.vpc_id))
    with refused("InvalidVpcId.NotFound", 404):
        vpc.delete_vpc(m.DeleteVpcRequest(region_id=REGION, vpc_id=made.vpc_id))
    with refused("InvalidResourceId.NotFound", 404):
        vpc.tag_resources(
            m.TagResourcesRequest(
                region_id=REGION,
                resource_type="VPC",
                resource_id=[made.vpc_id],
                tag=[m.TagResourcesRequestTag(key="a")],
            )
        )


def test_zones_of_regions() -> None:
    assert zones("cn-hangzhou")[0] == "cn-hangzhou-b"
    assert zones("us-west-1") == ["us-west-1a", "us-west-1b"]
    assert all(zones(region) for region in REGIONS)


def test_a_dry_run_leaves_nothing(vpc: Vpc, cloud: Cloud, refused: Refused) -> None:
    before = cloud.ids.drawn
    with refused("DryRunOperation", 412):
        vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, dry_run=True, client_token="t"))
    assert cloud.store.all(KeptVpc) == []
    assert cloud.store.all(RouteTable) == []
    assert cloud.ids.drawn >= before
    # Not even the token.
    vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t", vpc_name="other"))
    with refused("InvalidVpcId.NotFound", 404):
        vpc.delete_vpc(m.DeleteVpcRequest(region_id=REGION, vpc_id="vpc-none", dry_run=True))


class TestClientTokens:
    """Two calls with one token do one thing."""

    def test_same_parameters(self, vpc: Vpc) -> None:
        request = m.CreateVpcRequest(region_id=REGION, client_token="t", vpc_name="one")
        first, second = vpc.create_vpc(request).body, vpc.create_vpc(request).body
        assert first.vpc_id == second.vpc_id
        assert first.route_table_id == second.route_table_id
        assert first.request_id != second.request_id
        assert vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION)).body.total_count == 1

    def test_other_parameters(self, vpc: Vpc, refused: Refused) -> None:
        vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t", vpc_name="one"))
        with refused("IdempotentParameterMismatch"):
            vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t", vpc_name="two"))
        assert vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION)).body.total_count == 1

    def test_in_another_region_it_is_another(self, vpc: Vpc) -> None:
        ids = {
            vpc.create_vpc(m.CreateVpcRequest(region_id=region, client_token="t")).body.vpc_id
            for region in (REGION, "cn-beijing")
        }
        assert len(ids) == 2

    def test_a_refused_call_does_not_use_it(self, vpc: Vpc, refused: Refused) -> None:
        with refused("InvalidCidrBlock.Malformed"):
            vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t", cidr_block="127.0.0.0/16"))
        vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t", cidr_block="10.0.0.0/16"))

    def test_it_outlives_a_restart(self, vpc: Vpc, cloud: Cloud, clock: Clock, tmp_path: Path) -> None:
        from emulator.api.dispatch import Token

        vpc.create_vpc(m.CreateVpcRequest(region_id=REGION, client_token="t"))
        again = open_cloud(tmp_path / "cloud", now=clock)
        assert len(again.store.all(Token)) == 1
        again.store.close()

    def test_after_a_day_it_is_new(self, raw: Raw, clock: Clock) -> None:
        first = raw.ask("vpc", "CreateVpc", RegionId=REGION, ClientToken="t")
        clock.later(24 * 3600)
        second = raw.ask("vpc", "CreateVpc", time=clock(), RegionId=REGION, ClientToken="t")
        assert first.body["VpcId"] != second.body["VpcId"]

    def test_it_is_not_kept_for_good(self, raw: Raw, clock: Clock, cloud: Cloud) -> None:
        from emulator.api.dispatch import Token

        for token in ("one", "two"):
            raw.ask("vpc", "CreateVpc", time=clock(), RegionId=REGION, ClientToken=token)
        clock.later(24 * 3600)
        raw.ask("vpc", "CreateVpc", time=clock(), RegionId=REGION, ClientToken="three")
        assert len(cloud.store.all(Token)) == 1


def test_ids_repeat_from_a_seed_and_go_on_after_a_restart(tmp_path: Path) -> None:
    def drawn(folder: str, restart_after: int | None) -> list[str]:
        cloud = open_cloud(tmp_path / folder, seed=7)
        found = []
        for count in range(6):
            if count == restart_after:
                cloud.store.close()
                cloud = open_cloud(tmp_path / folder)
            found.append(cloud.new_id("vpc-"))
        cloud.store.close()
        return found

    straight = drawn("a", None)
    assert straight == drawn("b", 3)
    assert len(set(straight)) == 6
    assert all(one.startswith("vpc-bp1") and len(one) == 24 for one in straight)
    other = open_cloud(tmp_path / "c", seed=8)
    assert other.new_id("vpc-") not in straight
    other.store.close()


def test_without_a_seed_nothing_repeats(tmp_path: Path) -> None:
    clouds = [open_cloud(tmp_path / name) for name in "ab"]
    assert len({cloud.new_id("vpc-") for cloud in clouds}) == 2
    assert len({cloud.account for cloud in clouds}) == 2
    for cloud in clouds:
        cloud.store.close()


def test_the_state_outlives_a_restart(vpc: Vpc, cloud: Cloud, clock: Clock, tmp_path: Path) -> None:
    made = vpc.create_vpc(
        m.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/16", vpc_name="kept")
    ).body
    clock.later(1)
    vpc.create_vswitch(
        m.CreateVSwitchRequest(
            region_id=REGION, vpc_id=made.vpc_id, zone_id="cn-hangzhou-h", cidr_block="10.0.1.0/24"
        )
    )
    again = open_cloud(tmp_path / "cloud", now=clock)
    assert again.store.all(KeptVpc) == cloud.store.all(KeptVpc)
    assert again.store.all(VSwitch) == cloud.store.all(VSwitch)
    assert again.account == cloud.account
    again.store.close()


def test_request_ids_are_all_unlike(raw: Raw) -> None:
    answers = [raw.ask("vpc", "DescribeVpcs", RegionId=REGION) for _ in range(3)]
    answers.append(raw.ask("vpc", "CreateCastle"))
    assert len({answer.body["RequestId"] for answer in answers}) == 4


def test_the_calls_are_logged_without_their_parameters(raw: Raw, cloud: Cloud) -> None:
    raw.ask("vpc", "CreateVpc", RegionId=REGION, VpcName="secret-name")
    raw.ask("vpc", "DeleteVpc", RegionId=REGION, VpcId="vpc-secret-name")
    one, two = cloud.calls
    assert (one.action, one.region, one.status, one.code) == ("CreateVpc", REGION, 200, "")
    assert (two.action, two.status, two.code) == ("DeleteVpc", 404, "InvalidVpcId.NotFound")
    assert one.caller
    assert one.seconds >= 0
    assert "secret-name" not in repr(cloud.calls)


def test_every_service_has_a_version_of_its_own() -> None:
    assert {service.version for service in SERVICES.values()} == set(SERVICES)


def test_a_full_disk_is_an_answer_and_not_an_end(
    vpc: Vpc, cloud: Cloud, clock: Clock, refused: Refused, tmp_path: Path
) -> None:
    """SQLite's own limit of pages stands for the disk's end: it raises the same error."""
    made = vpc.create_vpc(m.CreateVpcRequest(region_id=REGION)).body
    base = cloud.store._base
    pages = base.execute("PRAGMA page_count").fetchone()[0]
    base.execute(f"PRAGMA max_page_count={pages}")
    others = []
    clock.later(1)
    with refused("ServiceUnavailable", 503):
        for number in range(200):
            request = m.CreateVpcRequest(
                region_id=sorted(REGIONS)[number % 10], description="d" * 256, client_token=f"token-{number}"
            )
            others.append(vpc.create_vpc(request).body.vpc_id)
    # What was there is still answered, and what failed is nowhere.
    assert {one.id for one in cloud.store.all(KeptVpc)} == {made.vpc_id, *others}
    assert len(cloud.store.all(RouteTable)) == len(others) + 1
    found = vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION)).body
    assert made.vpc_id in [one.vpc_id for one in found.vpcs.vpc]
    base.execute(f"PRAGMA max_page_count={pages + 100}")
    other = vpc.create_vpc(m.CreateVpcRequest(region_id="us-west-1")).body
    kept = sqlite3.connect(tmp_path / "cloud" / "state.sqlite")
    ids = {row[0] for row in kept.execute("SELECT id FROM things WHERE kind = 'vpc'")}
    kept.close()
    assert ids == {made.vpc_id, *others, other.vpc_id}


def test_a_state_that_is_locked_from_outside(
    vpc: Vpc, cloud: Cloud, refused: Refused, tmp_path: Path
) -> None:
    cloud.store._base.execute("PRAGMA busy_timeout=50")
    other = sqlite3.connect(tmp_path / "cloud" / "state.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with refused("ServiceUnavailable", 503):
        vpc.create_vpc(m.CreateVpcRequest(region_id=REGION))
    assert vpc.describe_vpcs(m.DescribeVpcsRequest(region_id=REGION)).body.total_count == 0
    other.execute("ROLLBACK")
    other.close()
    vpc.create_vpc(m.CreateVpcRequest(region_id=REGION))


def test_a_mistake_of_the_emulator_is_an_answer(
    raw: Raw, cloud: Cloud, server: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client learns that it is not its fault; the state is as before."""

    def broken(call: object, given: object) -> dict[str, object]:
        cloud.new_id("x-")
        raise KeyError("a mistake")

    action = SERVICES["2016-04-28"].actions["CreateVpc"]
    monkeypatch.setitem(
        SERVICES["2016-04-28"].actions, "CreateVpc", type(action)(action.name, action.model, broken)
    )
    answer = raw.ask("vpc", "CreateVpc", RegionId=REGION)
    assert (answer.status, answer.code) == (500, "InternalError")
    assert "a mistake" not in str(answer.body)
    assert cloud.calls[-1].code == "InternalError"
