"""A rule of a security group in the words of a request: read, checked, and written again."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, get_args

from emulator.api.call import Call
from emulator.api.errors import ApiError, not_served
from emulator.services.ecs.model_groups import SecurityGroup, SecurityGroupRule
from emulator.services.ecs.verdict import Direction, Policy, Ports, Protocol

_WITH_PORTS: Final = ("tcp", "udp")


@dataclass(frozen=True)
class Wanted:
    """A rule as a request words it: text. None: the request does not have it."""

    protocol: str | None = None
    ports: str | None = None
    source_ports: str | None = None
    policy: str | None = None
    priority: str | None = None
    nic: str | None = None
    source: str | None = None
    source_ipv6: str | None = None
    destination: str | None = None
    destination_ipv6: str | None = None
    group: str | None = None
    owner: str | None = None
    description: str | None = None


def read(
    call: Call, group: SecurityGroup, direction: Direction, wanted: Wanted, rule_id: str
) -> SecurityGroupRule:
    """The rule that the text describes. Raises ApiError with Alibaba's code for what is malformed.

    rule_id: what to call it; nothing is kept.
    """
    protocol = _protocol(wanted.protocol)
    source = _address("Source", wanted.source, wanted.source_ipv6)
    destination = _address("Dest", wanted.destination, wanted.destination_ipv6)
    inward = direction == "ingress"
    side, peer = ("Source", source) if inward else ("Dest", destination)
    if not peer and not wanted.group:
        raise ApiError(
            400,
            f"MissingParameter.{side}",
            f"One of the parameters {side}CidrIp, Ipv6{side}CidrIp, {side}GroupId or {side}PrefixListId "
            "must be specified.",
        )
    if peer and wanted.group:  # Alibaba Cloud goes by the address then, and says nothing
        raise not_served(call.action, f"{side}GroupId beside an address")
    _one_family(protocol, source, destination)
    if (wanted.nic or "intranet").lower() != "intranet":
        if wanted.nic and wanted.nic.lower() == "internet":
            raise ApiError(
                400, "InvalidNicType.Mismatch", "Specified nic type conflicts with the authorization record."
            )
        raise ApiError(400, "InvalidNicType.ValueNotSupported", "The specified NicType does not exist.")
    if wanted.owner and wanted.owner != call.caller.account:
        raise not_served(call.action, f"{side}GroupOwnerId of another account")
    if len(wanted.description or "") > 512:
        raise ApiError(
            400,
            "InvalidSecurityGroupDiscription.Malformed",
            "The specified security group rule description is not valid.",
        )
    return SecurityGroupRule(
        id=rule_id,
        region=call.region,
        created=call.now,
        group=group.id,
        direction=direction,
        protocol=protocol,
        ports=_ports(protocol, wanted.ports, "PortRange"),
        source_ports=_ports(protocol, wanted.source_ports, "SourcePortRange"),
        policy=_policy(wanted.policy),
        priority=_priority(wanted.priority),
        source=source,
        destination=destination,
        peer_group=wanted.group or "",
        peer_owner=(wanted.owner or "") if wanted.group else "",
        description=wanted.description or "",
    )


def _protocol(text: str | None) -> Protocol:
    for name in get_args(Protocol):
        if (text or "").lower() == name:
            found: Protocol = name
            return found
    raise ApiError(
        400,
        "InvalidIpProtocol.ValueNotSupported",
        "The parameter IpProtocol must be specified with case insensitive TCP, UDP, ICMP, GRE or All.",
    )


def _policy(text: str | None) -> Policy:
    match (text or "accept").lower():
        case "accept":
            return "accept"
        case "drop":
            return "drop"
    raise ApiError(400, "InvalidPolicy.Malformed", 'The specified parameter "Policy" is not valid.')


def _priority(text: str | None) -> int:
    if not text:
        return 1
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ApiError(400, "InvalidPriority.Malformed", "The parameter Priority is invalid.")
    if not 1 <= int(text) <= 100:
        raise ApiError(400, "InvalidPriority.ValueNotSupported", "The parameter Priority is invalid.")
    return int(text)


def _ports(protocol: Protocol, text: str | None, parameter: str) -> Ports | None:
    """-1/-1 stands for no ports: the only one that protocols without ports take."""
    if not text:
        if parameter == "SourcePortRange":
            return None
        raise ApiError(400, "InvalidPortRange.Malformed", "The specified parameter PortRange must set.")
    found = re.fullmatch(r"(-1|[0-9]{1,5})/(-1|[0-9]{1,5})", text)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if (first, last) == (-1, -1):
        if protocol in _WITH_PORTS and parameter == "PortRange":
            raise _no_such_ports()
        return None
    if not 1 <= first <= last <= 65535:
        raise ApiError(
            400,
            "InvalidParam.PortRange",
            f"The specified parameter {parameter} is not valid. It should be two integers less than 65535 in "
            "?/? format.",
        )
    if protocol not in _WITH_PORTS:
        raise _no_such_ports()
    return first, last


def _no_such_ports() -> ApiError:
    return ApiError(
        400,
        "OperationDenied",
        "The specified IpProtocol does not exist or IpProtocol and PortRange do not match.",
    )


def _address(side: str, ipv4: str | None, ipv6: str | None) -> str:
    """The text of an address or a network; IPv6 in its shortest form, as Alibaba Cloud keeps it."""
    if ipv4 and ipv6:
        raise ApiError(
            400,
            f"InvalidParam.{side}Ip",
            f"The Parameters {side}CidrIp and Ipv6{side}CidrIp in Permissions cannot be set at the same "
            "time.",
        )
    if ipv4:
        try:
            IPv4Network(_plain(ipv4), strict=False)
        except ValueError:
            raise ApiError(
                400, f"Invalid{side}CidrIp.Malformed", f'The specified parameter "{side}CidrIp" is not valid.'
            ) from None
        return ipv4
    if not ipv6:
        return ""
    try:
        network = IPv6Network(_plain(ipv6), strict=False)
    except ValueError:
        raise ApiError(
            400, f"InvalidParam.Ipv6{side}CidrIp", f"The specified parameter Ipv6{side}CidrIp is not valid."
        ) from None
    return str(network) if "/" in ipv6 else str(network.network_address)


def _plain(text: str) -> str:
    """Neither a netmask in place of a length, nor the zone of an address."""
    if not re.fullmatch(r"[0-9a-fA-F:.]+(/[0-9]{1,3})?", text):
        raise ValueError("no address or network")
    return text


def _one_family(protocol: Protocol, *addresses: str) -> None:
    families = {ip_network(text, strict=False).version for text in addresses if text}
    if 6 in families and (protocol == "icmp" or 4 in families):
        raise ApiError(
            400,
            "InvalidParam.Ipv4ProtocolConflictWithIpv6Address",
            "IPv6 address cannot be specified for IPv4-specific protocol.",
        )
    if 4 in families and protocol == "icmpv6":
        raise ApiError(
            400,
            "InvalidParam.Ipv6ProtocolConflictWithIpv4Address",
            "IPv4 address cannot be specified for IPv6-specific protocol.",
        )


def over(rule: SecurityGroupRule, wanted: Wanted) -> Wanted:
    """What is wanted, and of the rule as it is what is not mentioned. A new peer replaces the old one."""
    source, source_ipv6 = _families(rule.source)
    destination, destination_ipv6 = _families(rule.destination)
    inward = rule.direction == "ingress"
    moved_in = wanted.source is not None or wanted.source_ipv6 is not None
    moved_out = wanted.destination is not None or wanted.destination_ipv6 is not None
    elsewhere = wanted.group is not None or (moved_in if inward else moved_out)
    keeps_source = not (moved_in or (elsewhere and inward))
    keeps_destination = not (moved_out or (elsewhere and not inward))
    ports = port_text(rule.ports)
    if wanted.protocol is not None and wanted.protocol.lower() not in _WITH_PORTS:
        ports = "-1/-1"
    return Wanted(
        protocol=_or(wanted.protocol, rule.protocol),
        ports=_or(wanted.ports, ports),
        source_ports=_or(wanted.source_ports, port_text(rule.source_ports)),
        policy=_or(wanted.policy, rule.policy),
        priority=_or(wanted.priority, str(rule.priority)),
        nic=wanted.nic,
        source=source if keeps_source else wanted.source,
        source_ipv6=source_ipv6 if keeps_source else wanted.source_ipv6,
        destination=destination if keeps_destination else wanted.destination,
        destination_ipv6=destination_ipv6 if keeps_destination else wanted.destination_ipv6,
        group=wanted.group if elsewhere else rule.peer_group,
        owner=_or(wanted.owner, "" if elsewhere else rule.peer_owner),
        description=_or(wanted.description, rule.description),
    )


def _or(wanted: str | None, held: str) -> str:
    return held if wanted is None else wanted


def _families(text: str) -> tuple[str | None, str | None]:
    """As the parameter for IPv4 and the one for IPv6."""
    return (None, text) if ":" in text else (text or None, None)


def port_text(ports: Ports | None) -> str:
    return "-1/-1" if ports is None else f"{ports[0]}/{ports[1]}"
