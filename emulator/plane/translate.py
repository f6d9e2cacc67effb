"""From what the API keeps to what the plane builds."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from emulator.cloud import Cloud
from emulator.instance_types import instance_types
from emulator.plane.filter import Guarded, table
from emulator.plane.wiring import Public
from emulator.services.ecs import security_groups
from emulator.services.ecs.model_instances import Instance
from emulator.services.ecs.model_keys import KeyPair, key_of
from emulator.services.ecs.verdict import Member, effective
from emulator.services.vpc.model import Eip


def size(instance: Instance) -> tuple[int, int]:
    """vCPUs and bytes of memory of the instance's type."""
    kind = instance_types()[instance.type]
    return kind.vcpus, int(kind.gib * 2**30)


def public(cloud: Cloud, instances: Sequence[Instance]) -> tuple[Public, ...]:
    """The public addresses of the instances: their own, and the EIPs that they hold."""
    own = [Public(one.public, one.address) for one in instances if one.public]
    held = {one.id: one.address for one in instances}
    eips = [Public(eip.address, held[eip.instance]) for eip in cloud.store.all(Eip) if eip.instance in held]
    return (*own, *eips)


def public_key(cloud: Cloud, instance: Instance) -> str:
    """Of its key pair; empty where it has none."""
    pair = cloud.store.get(KeyPair, key_of(instance.region, instance.key_pair))
    return pair.public_key if pair else ""


def rules(cloud: Cloud, instances: Sequence[Instance], publics: Sequence[Public]) -> str:
    """The packet filter of a VPC with these instances."""
    members: dict[str, list[IPv4Address | IPv6Address]] = {}
    for one in instances:
        for group in one.groups:
            members.setdefault(group, []).extend((one.address, *one.ipv6))
    guarded = []
    for one in instances:
        groups = security_groups.decisive(cloud, one.groups)
        own: list[IPv4Address | IPv6Address] = [one.address, *one.ipv6]
        guarded.append(Guarded(one.id, own, effective("ingress", groups), effective("egress", groups)))
        for rule in (*guarded[-1].ingress, *guarded[-1].egress):
            if isinstance(rule.peer, Member):
                members.setdefault(rule.peer.group, [])
    return table(guarded, members, publics)
