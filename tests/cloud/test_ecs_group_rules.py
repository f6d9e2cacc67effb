"""Rules in security groups, by the official SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from alibabacloud_ecs20140526 import models as m
from alibabacloud_vpc20160428 import models as v

from emulator.services.ecs import security_groups
from tests.cloud.conftest import Refused
from tests.cloud.groups import (
    SSH,
    R,
    allow,
    allow_out,
    attribute,
    create,
    described,
    group,
    network,
    revoke,
    rules,
)
from tests.cloud.running import Clock

if TYPE_CHECKING:
    from alibabacloud_ecs20140526.client import Client as Ecs
    from alibabacloud_vpc20160428.client import Client as Vpc

    from emulator.cloud import Cloud

__all__ = ["group", "network"]  # fixtures


def test_a_rule_is_answered_as_it_was_given(ecs: Ecs, network: str, group: str) -> None:
    other = create(ecs, network, security_group_name="other")
    allow(ecs, group, SSH | {"priority": "7", "policy": "drop", "description": "office"})
    allow_out(
        ecs,
        group,
        {"ip_protocol": "ALL", "port_range": "-1/-1", "dest_group_id": other, "nic_type": "intranet"},
        {"ip_protocol": "icmpv6", "port_range": "-1/-1", "ipv_6dest_cidr_ip": "2408:0:0::1"},
    )
    first, second, third = rules(ecs, group)
    assert first.security_group_rule_id.startswith("sgr-")
    assert (first.direction, first.ip_protocol, first.port_range, first.policy) == (
        "ingress",
        "TCP",
        "22/22",
        "Drop",
    )
    assert (first.priority, first.source_cidr_ip, first.dest_cidr_ip) == ("7", "203.0.113.0/24", "")
    assert (first.nic_type, first.description, first.source_port_range) == ("intranet", "office", "-1/-1")
    assert (second.direction, second.ip_protocol, second.dest_group_id) == ("egress", "ALL", other)
    assert (second.dest_group_name, second.dest_group_owner_account) == ("other", "")
    assert (third.ip_protocol.lower(), third.ipv_6dest_cidr_ip) == ("icmpv6", "2408::1")
    assert [one.direction for one in rules(ecs, group, direction="egress")] == ["egress"] * 2
    assert len(rules(ecs, group, nic_type="<nil>")) == 3, "as the official provider asks"
    (found,) = described(ecs, security_group_id=group)
    assert (found.rule_count, found.group_to_group_rule_count) == (3, 1)


def test_the_flat_form_and_permissions_are_the_same_rule(ecs: Ecs, group: str, refused: Refused) -> None:
    allow(ecs, group, **SSH)
    allow(ecs, group, SSH)
    allow(ecs, group, SSH | {"source_cidr_ip": "203.0.113.9/24", "policy": "Accept", "priority": "1"})
    assert len(rules(ecs, group)) == 1
    with refused("InvalidParam.Permissions"):
        allow(ecs, group, SSH, **SSH)
    with refused("InvalidParam.DuplicatePermissions"):
        allow(ecs, group, SSH, SSH)
    allow(ecs, group, SSH | {"priority": "2"}, SSH | {"port_range": "23/23"})
    assert len(rules(ecs, group)) == 3


@pytest.mark.parametrize(
    ("change", "code", "status"),
    [
        ({"ip_protocol": "sctp"}, "InvalidIpProtocol.ValueNotSupported", 400),
        ({"ip_protocol": None}, "InvalidIpProtocol.ValueNotSupported", 400),
        ({"port_range": None}, "InvalidPortRange.Malformed", 400),
        ({"port_range": "22"}, "InvalidParam.PortRange", 400),
        ({"port_range": "200/1"}, "InvalidParam.PortRange", 400),
        ({"port_range": "0/65536"}, "InvalidParam.PortRange", 400),
        ({"port_range": "-1/-1"}, "OperationDenied", 400),
        ({"ip_protocol": "icmp"}, "OperationDenied", 400),
        ({"source_port_range": "x"}, "InvalidParam.PortRange", 400),
        ({"policy": "reject"}, "InvalidPolicy.Malformed", 400),
        ({"priority": "high"}, "InvalidPriority.Malformed", 400),
        ({"priority": "0"}, "InvalidPriority.ValueNotSupported", 400),
        ({"priority": "101"}, "InvalidPriority.ValueNotSupported", 400),
        ({"nic_type": "internet"}, "InvalidNicType.Mismatch", 400),
        ({"nic_type": "wifi"}, "InvalidNicType.ValueNotSupported", 400),
        ({"source_cidr_ip": None}, "MissingParameter.Source", 400),
        ({"source_cidr_ip": "10.0.0.0/33"}, "InvalidSourceCidrIp.Malformed", 400),
        ({"source_cidr_ip": "10.0.0.0/255.0.0.0"}, "InvalidSourceCidrIp.Malformed", 400),
        (
            {"ipv_6source_cidr_ip": "fe80::1%eth0", "source_cidr_ip": None},
            "InvalidParam.Ipv6SourceCidrIp",
            400,
        ),
        ({"dest_cidr_ip": "10.0.0"}, "InvalidDestCidrIp.Malformed", 400),
        ({"ipv_6source_cidr_ip": "::/0"}, "InvalidParam.SourceIp", 400),
        ({"ipv_6source_cidr_ip": "::g", "source_cidr_ip": None}, "InvalidParam.Ipv6SourceCidrIp", 400),
        ({"ipv_6dest_cidr_ip": "::/0"}, "InvalidParam.Ipv4ProtocolConflictWithIpv6Address", 400),
        (
            {
                "ip_protocol": "icmp",
                "port_range": "-1/-1",
                "source_cidr_ip": None,
                "ipv_6source_cidr_ip": "::/0",
            },
            "InvalidParam.Ipv4ProtocolConflictWithIpv6Address",
            400,
        ),
        (
            {"ip_protocol": "icmpv6", "port_range": "-1/-1"},
            "InvalidParam.Ipv6ProtocolConflictWithIpv4Address",
            400,
        ),
        ({"description": "x" * 513}, "InvalidSecurityGroupDiscription.Malformed", 400),
        ({"source_cidr_ip": None, "source_group_id": "sg-none"}, "InvalidSourceGroupId.NotFound", 404),
        ({"source_group_id": "sg-none"}, "UnsupportedParameter.Emulator", 400),
        ({"source_prefix_list_id": "pl-1"}, "UnsupportedParameter.Emulator", 400),
        ({"port_range_list_id": "prl-1"}, "UnsupportedParameter.Emulator", 400),
        ({"source_group_owner_id": 1}, "UnsupportedParameter.Emulator", 400),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(
    ecs: Ecs, group: str, change: dict[str, Any], code: str, status: int, refused: Refused
) -> None:
    with refused(code, status):
        allow(ecs, group, SSH | change)
    assert rules(ecs, group) == []


def test_which_groups_a_rule_may_name(
    ecs: Ecs, vpc: Vpc, network: str, group: str, clock: Clock, refused: Refused
) -> None:
    elsewhere = vpc.create_vpc(v.CreateVpcRequest(**R, cidr_block="10.1.0.0/16")).body.vpc_id
    clock.later(1)
    rule = {"ip_protocol": "all", "port_range": "-1/-1"}
    with refused("InvalidParamter.Conflict", 403):
        allow(ecs, group, rule | {"source_group_id": group})
    with refused("InvalidSourceGroupId.Mismatch"):
        allow(ecs, group, rule | {"source_group_id": create(ecs, elsewhere)})
    with refused("InvalidGroupAuthParameter.OperationDenied"):
        allow(ecs, group, rule | {"source_group_id": create(ecs, network, security_group_type="enterprise")})
    others = [create(ecs, network) for _ in range(21)]
    allow(ecs, group, *(rule | {"source_group_id": other} for other in others[:20]))
    with refused("AuthorizationLimitExceed", 403):
        allow(ecs, group, rule | {"source_group_id": others[20]})


def test_a_group_has_two_hundred_rules_at_most(ecs: Ecs, group: str, refused: Refused) -> None:
    allow(ecs, group, *(SSH | {"port_range": f"{port}/{port}"} for port in range(1, 101)))
    out = {"ip_protocol": "udp", "dest_cidr_ip": "0.0.0.0/0"}
    allow_out(ecs, group, *(out | {"port_range": f"{port}/{port}"} for port in range(1, 101)))
    with refused("AuthorizationLimitExceed", 403):
        allow(ecs, group, SSH | {"port_range": "101/101"})
    allow(ecs, group, SSH | {"port_range": "100/100"})  # is there already
    assert len(rules(ecs, group)) == 200
    first = attribute(ecs, group, max_results=150)
    rest = attribute(ecs, group, max_results=150, next_token=first.next_token)
    ids = [
        one.security_group_rule_id for one in (*first.permissions.permission, *rest.permissions.permission)
    ]
    assert len(set(ids)) == 200
    assert not rest.next_token


def test_rules_are_revoked_by_content_and_by_id(ecs: Ecs, group: str, refused: Refused) -> None:
    allow(ecs, group, SSH, SSH | {"priority": "5"}, SSH | {"port_range": "80/80"}, SSH | {"policy": "drop"})
    with refused("InvalidSecurityGroupRule.RuleNotExist"):
        revoke(ecs, group, **SSH | {"port_range": "81/81"})
    revoke(ecs, group, SSH | {"port_range": "81/81"})  # in this form it is no mistake
    assert len(rules(ecs, group)) == 4
    revoke(ecs, group, **SSH, priority="5")
    revoke(ecs, group, SSH)
    left = rules(ecs, group)
    assert [(one.port_range, one.policy) for one in left] == [("80/80", "Accept"), ("22/22", "Drop")]
    ids = [one.security_group_rule_id for one in left]
    with refused("InvalidParam.SecurityGroupRuleId"):
        revoke(ecs, group, security_group_rule_id=[*ids, "sgr-none"])
    with refused("InvalidParam.SecurityGroupRuleIdRepeated"):
        revoke(ecs, group, security_group_rule_id=[ids[0], ids[0]])
    with refused("InvalidParam.SecurityGroupRuleId"):
        ecs.revoke_security_group_egress(
            m.RevokeSecurityGroupEgressRequest(**R, security_group_id=group, security_group_rule_id=ids)
        )
    with refused("InvalidParam.Permissions"):
        revoke(ecs, group, SSH, security_group_rule_id=ids)
    revoke(ecs, group, security_group_rule_id=ids)
    assert rules(ecs, group) == []


def test_a_rule_of_the_other_direction_is_another_one(ecs: Ecs, group: str, refused: Refused) -> None:
    out = {"ip_protocol": "tcp", "port_range": "22/22", "dest_cidr_ip": "0.0.0.0/0"}
    allow_out(ecs, group, out)
    with refused("MissingParameter.Dest"):
        allow_out(ecs, group, {"ip_protocol": "tcp", "port_range": "22/22", "source_cidr_ip": "10.0.0.1"})
    with refused("InvalidSecurityGroupRule.RuleNotExist"):
        revoke(ecs, group, ip_protocol="tcp", port_range="22/22", source_cidr_ip="0.0.0.0/0")
    ecs.revoke_security_group_egress(m.RevokeSecurityGroupEgressRequest(**R, security_group_id=group, **out))
    assert rules(ecs, group) == []


def test_a_rule_named_by_its_content_gets_another_description(ecs: Ecs, group: str, refused: Refused) -> None:
    def describe(**more: Any) -> None:
        ecs.modify_security_group_rule(m.ModifySecurityGroupRuleRequest(**R, security_group_id=group, **more))

    allow(ecs, group, SSH)
    describe(**SSH, description="office")
    describe(**SSH, description="office")  # the official provider asks twice
    assert rules(ecs, group)[0].description == "office"
    describe(**SSH, description="")
    assert rules(ecs, group)[0].description == ""
    with refused("MissingParameter"):
        describe(**SSH)
    with refused("SecurityGroupRule.NotFound", 404):
        describe(**SSH, priority="2", description="x")


def test_a_rule_named_by_its_id_changes_where_it_is_told_to(
    ecs: Ecs, network: str, group: str, refused: Refused
) -> None:
    other = create(ecs, network)

    def modify(rule: str, **more: Any) -> Any:
        ecs.modify_security_group_rule(
            m.ModifySecurityGroupRuleRequest(
                **R, security_group_id=group, security_group_rule_id=rule, **more
            )
        )
        return next(one for one in rules(ecs, group) if one.security_group_rule_id == rule)

    allow(ecs, group, SSH | {"description": "office"}, SSH | {"port_range": "23/23"})
    first = rules(ecs, group)[0].security_group_rule_id
    changed = modify(first, priority="9", policy="drop")
    assert (changed.priority, changed.policy, changed.port_range, changed.description) == (
        "9",
        "Drop",
        "22/22",
        "office",
    )
    changed = modify(first, source_group_id=other)
    assert (changed.source_group_id, changed.source_cidr_ip) == (other, "")
    changed = modify(first, ipv_6source_cidr_ip="2408:4000::/32")
    assert (changed.source_group_id, changed.ipv_6source_cidr_ip) == ("", "2408:4000::/32")
    changed = modify(first, ip_protocol="all")
    assert (changed.ip_protocol, changed.port_range) == ("ALL", "-1/-1")
    with refused("InvalidParam.DuplicatePermissions"):
        modify(
            first,
            ip_protocol="tcp",
            port_range="23/23",
            source_cidr_ip="203.0.113.0/24",
            policy="accept",
            priority="1",
        )
    with refused("InvalidSecurityGroupRuleId.NotFound", 404):
        modify("sgr-none", priority="1")
    with refused("InvalidSecurityGroupRuleId.NotFound", 404):
        ecs.modify_security_group_egress_rule(
            m.ModifySecurityGroupEgressRuleRequest(
                **R, security_group_id=group, security_group_rule_id=first, priority="1"
            )
        )


def test_a_rule_that_leaves_is_changed_by_its_own_action(ecs: Ecs, group: str) -> None:
    allow_out(ecs, group, {"ip_protocol": "udp", "port_range": "53/53", "dest_cidr_ip": "0.0.0.0/0"})
    (rule,) = rules(ecs, group)
    ecs.modify_security_group_egress_rule(
        m.ModifySecurityGroupEgressRuleRequest(
            **R,
            security_group_id=group,
            security_group_rule_id=rule.security_group_rule_id,
            dest_cidr_ip="9.9.9.9",
        )
    )
    (rule,) = rules(ecs, group)
    assert (rule.dest_cidr_ip, rule.port_range) == ("9.9.9.9", "53/53")


def test_the_verdict_is_fed_from_what_is_kept(ecs: Ecs, network: str, group: str, cloud: Cloud) -> None:
    other = create(ecs, network)
    allow(ecs, group, SSH, {"ip_protocol": "tcp", "port_range": "80/80", "source_group_id": other})
    (held,) = security_groups.decisive(cloud, [group, "sg-none"])
    assert (held.id, held.enterprise, held.inner_accept) == (group, False, True)
    first, second = held.rules
    assert (first.ports, str(first.peer), first.policy) == ((22, 22), "203.0.113.0/24", "accept")
    assert getattr(second.peer, "group", None) == other
