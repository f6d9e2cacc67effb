"""Security groups, their rules, and key pairs through the plugin."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from emulator.access import AccessKey
from emulator.cloud import Cloud
from tests.cloud.plugins import REGION, Life, live, running
from tests.cloud.running import Listener
from tests.docker.plugin import UNKNOWN, CheckFailed, Made, PluginClient, plain

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs

NETWORK = "alicloud:vpc/network:Network"
GROUP = "alicloud:ecs/securityGroup:SecurityGroup"
RULE = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
KEY = "alicloud:ecs/ecsKeyPair:EcsKeyPair"
PUBLIC = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBnNx2YvJ8v1rFh3QPJc8V2xkcv8uVX0m6eYV2tNY1Xk me@here"


@pytest.fixture
def plugin(cloud: Cloud, key: AccessKey, server: Listener) -> Iterator[PluginClient]:
    with running(cloud, key, server) as made:
        yield made


@pytest.fixture
def network(plugin: PluginClient) -> Made:
    return plugin.create(NETWORK, {"cidrBlock": "10.0.0.0/8"})


@pytest.fixture
def group(plugin: PluginClient, network: Made) -> Made:
    return plugin.create(GROUP, {"vpcId": network.id, "securityGroupName": "web"})


def test_a_security_group_lives(plugin: PluginClient, network: Made, ecs: Ecs) -> None:
    from alibabacloud_ecs20140526 import models

    def outside(made: Made) -> dict[str, Any]:
        ecs.modify_security_group_policy(
            models.ModifySecurityGroupPolicyRequest(
                region_id=REGION, security_group_id=made.id, inner_access_policy="Accept"
            )
        )
        return {"innerAccessPolicy": "Accept"}

    live(
        plugin,
        Life(
            GROUP,
            {
                "vpcId": network.id,
                "securityGroupName": "web",
                "description": "one",
                "innerAccessPolicy": "Drop",
                "tags": {"a": "1"},
            },
            updated={"securityGroupName": "other", "description": "two", "tags": {"b": "2"}},
            replaced={"securityGroupType": "enterprise", "vpcId": UNKNOWN},
            outside=outside,
            outputs=("createTime", "resourceGroupId", "securityGroupType", "name"),
        ),
    )


def test_machines_of_an_enterprise_group_do_not_reach_each_other(plugin: PluginClient, network: Made) -> None:
    with pytest.raises(CheckFailed, match="it can only be Drop"):
        plugin.check(GROUP, {"securityGroupType": "enterprise", "innerAccessPolicy": "Accept"})
    made = plugin.create(GROUP, {"vpcId": network.id, "securityGroupType": "enterprise"})
    given = {"vpcId": network.id, "securityGroupType": "enterprise", "innerAccessPolicy": "Drop"}
    assert plugin.diff(made, given).paths == {}
    assert plugin.diff(made, {**given, "description": "x"}).paths == {"description": "UPDATE"}


@pytest.mark.parametrize(
    ("rule", "id"),
    [
        (
            {"type": "ingress", "ipProtocol": "tcp", "portRange": "22/22", "cidrIp": "10.0.0.0/8"},
            "ingress:tcp:22/22:<nil>:10.0.0.0/8:accept:1",
        ),
        (
            {
                "type": "egress",
                "ipProtocol": "all",
                "cidrIp": "0.0.0.0/0",
                "policy": "drop",
                "priority": 100,
                "nicType": "intranet",
            },
            "egress:all:-1/-1:intranet:0.0.0.0/0:drop:100",
        ),
        (
            {"type": "ingress", "ipProtocol": "udp", "portRange": "1/65535", "ipv6CidrIp": "2001:db8::/32"},
            "ingress:udp:1/65535:<nil>:2001_db8__/32:accept:1",
        ),
        ({"type": "ingress", "ipProtocol": "icmp", "cidrIp": "0.0.0.0/0"}, None),
    ],
    ids=["ingress", "egress", "ipv6", "icmp"],
)
def test_a_rule_lives(plugin: PluginClient, group: Made, rule: dict[str, Any], id: str | None) -> None:
    inputs = {"securityGroupId": group.id, **rule}
    if id is not None:
        made = plugin.create(RULE, inputs)
        assert made.id == f"{group.id}:{id}"
        assert made.inputs["__defaults"] == sorted({"policy", "portRange", "priority"} - rule.keys())
        plugin.delete(made)
    live(
        plugin,
        Life(
            RULE,
            inputs,
            updated={"description": "why"},
            replaced={"priority": 50, "type": "egress" if rule["type"] == "ingress" else "ingress"},
            outputs=("securityGroupRuleId", "nicType"),
        ),
    )


def test_another_group_is_a_source(plugin: PluginClient, network: Made, group: Made) -> None:
    other = plugin.create(GROUP, {"vpcId": network.id})
    live(
        plugin,
        Life(
            RULE,
            {
                "securityGroupId": group.id,
                "type": "ingress",
                "ipProtocol": "tcp",
                "portRange": "80/80",
                "sourceSecurityGroupId": other.id,
            },
            replaced={"sourceSecurityGroupId": UNKNOWN},
        ),
    )


def test_a_rule_that_is_there_has_another_owner(plugin: PluginClient, group: Made) -> None:
    inputs = {"securityGroupId": group.id, "type": "ingress", "ipProtocol": "icmp", "cidrIp": "0.0.0.0/0"}
    first = plugin.create(RULE, inputs)
    with pytest.raises(grpc.RpcError, match="has that rule already"):
        plugin.create(RULE, inputs, name="second")
    assert plugin.read(first) is not None


def test_a_rule_that_was_revoked_outside_is_gone(plugin: PluginClient, group: Made, ecs: Ecs) -> None:
    from alibabacloud_ecs20140526 import models

    inputs = {"securityGroupId": group.id, "type": "ingress", "ipProtocol": "icmp", "cidrIp": "0.0.0.0/0"}
    made = plugin.create(RULE, inputs)
    ecs.revoke_security_group(
        models.RevokeSecurityGroupRequest(
            region_id=REGION,
            security_group_id=group.id,
            security_group_rule_id=[plain(made.state)["securityGroupRuleId"]],
        )
    )
    assert plugin.read(made) is None
    plugin.delete(made)


@pytest.mark.parametrize(
    ("rule", "path", "reason"),
    [
        ({"ipProtocol": "tcp"}, "portRange", "tcp needs ports"),
        ({"ipProtocol": "icmp", "portRange": "1/2"}, "portRange", "icmp has no ports"),
        ({"ipProtocol": "sctp"}, "ipProtocol", "must be one of"),
        ({"ipProtocol": "all", "priority": 0}, "priority", "must be from 1 to 100"),
        ({"ipProtocol": "all", "policy": "reject"}, "policy", "must be one of accept, drop"),
        ({"ipProtocol": "all", "ipv6CidrIp": "::/0"}, "ipv6CidrIp", "conflicts with cidrIp"),
        ({"ipProtocol": "all", "cidrIp": None}, "cidrIp", "one of cidrIp, ipv6CidrIp"),
    ],
)
def test_a_rule_that_cannot_be_is_told(
    plugin: PluginClient, rule: dict[str, Any], path: str, reason: str
) -> None:
    given = {"securityGroupId": "sg-1", "type": "ingress", "cidrIp": "10.0.0.0/8", **rule}
    with pytest.raises(CheckFailed) as failed:
        plugin.check(RULE, {name: value for name, value in given.items() if value is not None})
    assert reason in failed.value.failures[path]


def test_a_key_pair_lives(plugin: PluginClient, ecs: Ecs) -> None:
    from alibabacloud_ecs20140526 import models

    def outside(made: Made) -> dict[str, Any]:
        ecs.untag_resources(
            models.UntagResourcesRequest(
                region_id=REGION, resource_type="keypair", resource_id=[made.id], tag_key=["b"]
            )
        )
        return {"tags": {}}

    live(
        plugin,
        Life(
            KEY,
            {"keyPairName": "ops", "publicKey": PUBLIC, "tags": {"a": "1"}},
            updated={"tags": {"b": "2"}},
            replaced={"keyPairName": "other", "publicKey": PUBLIC.replace("AAAAI", "AAAAJ")},
            outside=outside,
            hidden=frozenset({"publicKey"}),
            outputs=("fingerPrint", "createTime", "resourceGroupId"),
        ),
    )


def test_a_key_is_the_same_with_spaces_around_it(plugin: PluginClient) -> None:
    made = plugin.create(KEY, {"keyPairName": "ops", "publicKey": PUBLIC})
    assert plugin.diff(made, {"keyPairName": "ops", "publicKey": f"{PUBLIC}\n"}).paths == {}


def test_a_private_key_is_written_for_its_owner_alone(plugin: PluginClient, tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    made = plugin.create(KEY, {"keyNamePrefix": "ops-", "keyFile": str(file)})
    assert made.id.startswith("ops-") and made.state["keyPairName"] == made.id
    assert file.read_text().startswith("-----BEGIN") and file.stat().st_mode & 0o777 == 0o400
    assert "PRIVATE" not in str(made.state)


def test_a_key_that_cannot_be_written_leaves_no_pair(plugin: PluginClient, tmp_path: Path, ecs: Ecs) -> None:
    from alibabacloud_ecs20140526 import models

    with pytest.raises(grpc.RpcError, match="cannot be written"):
        plugin.create(KEY, {"keyPairName": "lost", "keyFile": str(tmp_path / "no" / "key.pem")})
    found = ecs.describe_key_pairs(models.DescribeKeyPairsRequest(region_id=REGION)).body
    assert found.total_count == 0


def test_a_key_pair_of_others_is_not_taken_over(plugin: PluginClient) -> None:
    first = plugin.create(KEY, {"keyPairName": "ops", "publicKey": PUBLIC})
    with pytest.raises(grpc.RpcError, match="there is a key pair 'ops' already"):
        plugin.create(KEY, {"keyPairName": "ops", "publicKey": PUBLIC}, name="second")
    assert plugin.read(first) is not None
