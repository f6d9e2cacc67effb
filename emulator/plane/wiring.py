"""What a VPC's router must look like: pure, from what exists to the commands that make it so.

A VPC is one network namespace, the router's. Each machine has a link of its own to it, so that every packet
between two machines is forwarded there, past the rules of both, whether or not they share a vSwitch. Public
addresses are the router's on the cloud's public network; it hands their packets on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from typing import Final

from emulator.addresses import gateway
from emulator.plane.names import interface

METADATA: Final = IPv4Address("100.100.100.200")


@dataclass(frozen=True)
class Link:
    """A machine's place in its VPC."""

    instance: str
    mac: str
    address: IPv4Address
    vswitch: IPv4Network
    ipv6: tuple[IPv6Address, ...] = ()

    @property
    def interface(self) -> str:
        return interface(self.instance)


def plug(link: Link, router: int, machine: int) -> str:
    """The shell script that connects a machine with its router. router, machine: their processes' ids.

    The machine's own network is reached through the gateway as well, not by asking for neighbours: there are
    none on the link.
    """
    hop, port = gateway(link.vswitch), link.interface
    inside = [
        f"ip link set eth0 address {link.mac} up",
        "ip link set lo up",
        f"ip addr add {link.address}/{link.vswitch.prefixlen} dev eth0 noprefixroute",
        f"ip route add {hop} dev eth0",
        f"ip route add {link.vswitch} via {hop}",
        f"ip route add default via {hop}",
    ]
    outside = [
        f"ip link set {port} up",
        f"ip addr add {hop}/32 dev {port}",
        f"ip route replace {link.address}/32 dev {port}",
    ]
    if link.ipv6:
        outside.append(f"ip -6 addr add fe80::1/64 dev {port} nodad")
        outside += [f"ip -6 route replace {one}/128 dev {port}" for one in link.ipv6]
        inside += [f"ip -6 addr add {one}/128 dev eth0 nodad" for one in link.ipv6]
        inside.append("ip -6 route add default via fe80::1 dev eth0")
    return "\n".join(
        (
            "set -e",
            f"nsenter -t {router} -n ip link del {port} 2>/dev/null || true",
            f"nsenter -t {router} -n ip link add {port} type veth peer name eth0 netns {machine}",
            f"nsenter -t {router} -n sh -ec '{'; '.join(outside)}'",
            f"nsenter -t {machine} -n sh -ec '{'; '.join(inside)}'",
        )
    )


@dataclass(frozen=True)
class Public:
    """A public address and the machine that has it."""

    address: IPv4Address
    private: IPv4Address


def public_addresses(wanted: Sequence[Public]) -> str:
    """The script that leaves the router with these public addresses, beside its own, and no others."""
    keep = " ".join(f"{one.address}/32" for one in wanted)
    return "\n".join(
        (
            "set -e",
            f"ip addr replace {METADATA}/32 dev lo",
            f'keep=" {keep} "',
            "for have in $(ip -4 -o addr show dev eth0 | sed -n 's|.* inet \\([0-9.]*/32\\) .*|\\1|p'); do",
            '    case "$keep" in *" $have "*) ;; *) ip addr del "$have" dev eth0 ;; esac',
            "done",
            'for want in $keep; do ip addr replace "$want" dev eth0; done',
        )
    )


def translation(wanted: Sequence[Public]) -> Iterator[str]:
    """nftables chains: packets for a public address go to its machine, what the machine sends bears it.

    So does what it sends to a public address of its own VPC: it leaves the VPC, and comes back.
    """
    yield "chain arrive { type nat hook prerouting priority dstnat; policy accept;"
    for one in wanted:
        yield f"  ip daddr {one.address} dnat ip to {one.private};"
    yield "}"
    yield "chain leave { type nat hook postrouting priority srcnat; policy accept;"
    for one in wanted:
        yield f'  oifname "eth0" ip saddr {one.private} snat ip to {one.address};'
        yield f"  ct status & dnat != 0 ip saddr {one.private} snat ip to {one.address};"
    yield "}"
