"""A rule of a security group. Its id is made of what it says, as the official provider's is."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any, ClassVar, Final

from offline.alicloud.api import Answer, Refused, client_token
from offline.alicloud.field import Property, between, one_of, same_network, together
from offline.alicloud.lifecycle import CloudResource
from offline.alicloud.work import Creation, Deletion, Work
from offline.provider.resource import (
    UNKNOWN,
    CheckFailure,
    Context,
    Field,
    Inputs,
    ResourceError,
    State,
)

_ALL: Final = "-1/-1"
_WITH_PORTS: Final = ("tcp", "udp")
_PEERS: Final = {
    # property: parameter for what comes in, and for what goes out
    "cidrIp": ("SourceCidrIp", "DestCidrIp"),
    "ipv6CidrIp": ("Ipv6SourceCidrIp", "Ipv6DestCidrIp"),
    "sourceSecurityGroupId": ("SourceGroupId", "DestGroupId"),
    "prefixListId": ("SourcePrefixListId", "DestPrefixListId"),
}
_OWNERS: Final = {
    "sourceGroupOwnerAccount": ("SourceGroupOwnerAccount", "DestGroupOwnerAccount"),
    "sourceGroupOwnerId": ("SourceGroupOwnerId", "DestGroupOwnerId"),
}
_AUTHORIZE: Final = {"ingress": "AuthorizeSecurityGroup", "egress": "AuthorizeSecurityGroupEgress"}
_REVOKE: Final = {"ingress": "RevokeSecurityGroup", "egress": "RevokeSecurityGroupEgress"}
_MODIFY: Final = {"ingress": "ModifySecurityGroupRule", "egress": "ModifySecurityGroupEgressRule"}
_REPLACE: Final = Property(replace=True)


class SecurityGroupRule(CloudResource):
    """alicloud:ecs/securityGroupRule:SecurityGroupRule."""

    type: ClassVar[str] = "alicloud:ecs/securityGroupRule:SecurityGroupRule"
    product = "ecs"
    noun = "security group rule"
    vanishes = False
    fields: ClassVar[Mapping[str, Field]] = {
        "cidrIp": _REPLACE,
        "description": Property(),
        "ipProtocol": Property(replace=True, valid=one_of("tcp", "udp", "icmp", "icmpv6", "gre", "all")),
        "ipv6CidrIp": Property(replace=True, same=same_network, conflicts=("cidrIp",)),
        "nicType": Property(replace=True, computed=True, valid=one_of("internet", "intranet")),
        "policy": Property(replace=True, default="accept", valid=one_of("accept", "drop")),
        "portRange": Property(replace=True, default=_ALL),
        "prefixListId": Property(replace=True, computed=True),
        "priority": Property(replace=True, default=1, valid=between(1, 100)),
        "securityGroupId": _REPLACE,
        "sourceGroupOwnerAccount": Property(replace=True, deprecated=True),
        "sourceGroupOwnerId": _REPLACE,
        "sourceSecurityGroupId": Property(replace=True, conflicts=("cidrIp",)),
        "type": Property(replace=True, valid=one_of("ingress", "egress")),
    }
    creation = Creation(action="AuthorizeSecurityGroup", id="")
    deletion = Deletion(action="RevokeSecurityGroup")

    def wrong(self, inputs: Inputs) -> list[CheckFailure]:
        found = list(together(tuple(_PEERS), inputs, most=len(_PEERS)))
        protocol, ports = inputs.get("ipProtocol"), inputs.get("portRange", _ALL)
        if UNKNOWN not in (protocol, ports):
            if protocol in _WITH_PORTS and ports == _ALL:
                found.append(
                    CheckFailure(
                        property="portRange", reason=f"{protocol} needs ports, like 22/22 or 1/65535"
                    )
                )
            elif protocol not in _WITH_PORTS and ports != _ALL:
                found.append(
                    CheckFailure(property="portRange", reason=f"{protocol} has no ports: leave it out")
                )
        return found

    # --- the operations

    def make(self, work: Work, inputs: Inputs) -> str:
        direction = inputs["type"]
        rule = _rule(inputs)
        if "nicType" in inputs:
            rule["NicType"] = inputs["nicType"]
        given = {
            "SecurityGroupId": inputs["securityGroupId"],
            "Permissions": [rule],
            "ClientToken": client_token(),
        }
        id = _id(inputs)
        if self.describe(work, id) is not None:
            # The API would answer that all is well, and two resources would own one rule.
            raise ResourceError(
                f"security group {inputs['securityGroupId']} has that rule already",
                fix=f"import it by its id, {id}, or remove the other one",
            )
        work(_AUTHORIZE[direction], given)
        return id

    def update(self, ctx: Context, id: str, state: State, inputs: Inputs) -> State:  # noqa: ARG002
        work = Work.of(ctx, self.product, self.update_seconds)
        given = {
            "SecurityGroupId": inputs["securityGroupId"],
            **_rule(inputs),
            "Description": inputs.get("description", ""),
        }
        if "nicType" in inputs:
            given["NicType"] = inputs["nicType"]
        work(_MODIFY[inputs["type"]], given)
        return self._state(work, id, inputs)

    def delete(self, ctx: Context, id: str, state: State) -> None:  # noqa: ARG002
        work = Work.of(ctx, self.product, self.deletion.seconds)
        rule = _rule(state)
        rule.pop("Description", None)
        if state.get("nicType"):
            rule["NicType"] = state["nicType"]
        given = {"SecurityGroupId": state["securityGroupId"], "Permissions": [rule]}
        try:
            work(_REVOKE[state["type"]], given)
        except Refused as refused:
            if not refused.missing:
                raise

    def describe(self, work: Work, id: str) -> Answer | None:
        parts = id.split(":")
        if len(parts) != 8:
            raise ResourceError(
                f"'{id}' is no id of a security group rule",
                fix="it is GROUP:ingress|egress:PROTOCOL:PORTS:NIC:PEER:accept|drop:PRIORITY, "
                "like sg-1:ingress:tcp:22/22:intranet:10.0.0.0/8:accept:1",
            )
        group, direction, protocol, ports, nic, peer, policy, priority = parts
        asked = {"SecurityGroupId": group, "Direction": direction}
        if nic in ("internet", "intranet"):
            asked["NicType"] = nic
        answer = work.found("DescribeSecurityGroupAttribute", asked)
        if answer is None:
            return None
        peer = _short(peer.replace("_", ":"))
        at = direction == "egress"
        for one in answer["Permissions"].get("Permission") or []:
            same = (
                one["IpProtocol"].lower() == protocol
                and one["PortRange"] == ports
                and one["Policy"].lower() == policy
                and str(one["Priority"]) == priority
            )
            if same and peer in (_short(one.get(names[at]) or "") for names in _PEERS.values()):
                return {**one, "SecurityGroupId": group, "Direction": direction}
        return None

    def state_of(self, work: Work, id: str, answer: Answer) -> State:  # noqa: ARG002
        at = answer["Direction"] == "egress"
        return {
            "type": answer["Direction"],
            "securityGroupId": answer["SecurityGroupId"],
            "securityGroupRuleId": answer.get("SecurityGroupRuleId"),
            "ipProtocol": answer["IpProtocol"].lower(),
            "policy": answer["Policy"].lower(),
            "portRange": answer["PortRange"],
            "priority": int(answer["Priority"]),
            "nicType": answer.get("NicType"),
            "description": answer.get("Description") or "",
            **{name: answer.get(names[at]) or "" for name, names in _PEERS.items()},
            "sourceGroupOwnerId": answer.get(("SourceGroupOwnerAccount", "DestGroupOwnerAccount")[at]) or "",
        }


def _rule(given: Mapping[str, Any]) -> dict[str, Any]:
    """A rule, as requests have it."""
    at = given["type"] == "egress"
    rule = {
        "IpProtocol": given["ipProtocol"],
        "PortRange": given.get("portRange", _ALL),
        "Policy": given.get("policy", "accept"),
        "Priority": str(given.get("priority", 1)),
    }
    if given.get("description"):
        rule["Description"] = given["description"]
    for name, names in (_PEERS | _OWNERS).items():
        if given.get(name):
            rule[names[at]] = given[name]
    return rule


def _id(inputs: Inputs) -> str:
    peer = next(
        inputs[name]
        for name in ("sourceSecurityGroupId", "ipv6CidrIp", "cidrIp", "prefixListId")
        if inputs.get(name)
    )
    parts = (
        inputs["securityGroupId"],
        inputs["type"],
        inputs["ipProtocol"],
        inputs.get("portRange", _ALL),
        inputs.get("nicType", "<nil>"),  # so it reads in the official provider's ids
        peer.replace(":", "_"),
        inputs.get("policy", "accept"),
        inputs.get("priority", 1),
    )
    return ":".join(str(part) for part in parts)


def _short(network: str) -> str:
    """An IPv6 network in its shortest form, anything else as it is: answers abbreviate."""
    if ":" not in network:
        return network
    try:
        return str(ip_network(network, strict=False)) if "/" in network else network
    except ValueError:
        return network
