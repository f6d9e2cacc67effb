"""Security groups and their rules, as they are kept."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Literal

from emulator.services.ecs.verdict import Direction, EffectiveRule, Member, Network, Policy, Ports, Protocol
from emulator.store import Thing
from emulator.tags import Tagged


class SecurityGroup(Tagged, kind="security-group"):
    vpc: str
    name: str = ""
    description: str = ""
    resource_group: str
    type: Literal["normal", "enterprise"] = "normal"
    inner_access: Literal["Accept", "Drop"] = "Accept"
    """Whether its machines reach each other; always Drop in an enterprise group."""


class SecurityGroupRule(Thing, kind="security-group-rule"):
    """Addresses are kept as written: a client looks for its own text. Equal rules have one `key`."""

    group: str
    direction: Direction
    protocol: Protocol
    ports: Ports | None = None
    """None for protocols without ports: -1/-1."""
    source_ports: Ports | None = None
    policy: Policy = "accept"
    priority: int = 1
    source: str = ""
    """IPv4 or IPv6, an address or a network."""
    destination: str = ""
    peer_group: str = ""
    """The group on the other side; then there is no address of it."""
    peer_owner: str = ""
    """Account of that group, where the client named it: this one."""
    description: str = ""

    @property
    def matched(self) -> tuple[object, ...]:
        """What it is about, without what it does: how clients name a rule."""
        return (
            self.direction,
            self.protocol,
            self.ports,
            self.source_ports,
            _network(self.source),
            _network(self.destination),
            self.peer_group,
            self.policy,
        )

    @property
    def key(self) -> tuple[object, ...]:
        """Two rules of a group with one key would be the same."""
        return (*self.matched, self.priority)

    @property
    def effective(self) -> EffectiveRule:
        inward = self.direction == "ingress"
        peer, own = (self.source, self.destination) if inward else (self.destination, self.source)
        return EffectiveRule(
            direction=self.direction,
            priority=self.priority,
            policy=self.policy,
            protocol=self.protocol,
            ports=self.ports,
            source_ports=self.source_ports,
            peer=Member(self.peer_group) if self.peer_group else _network(peer),
            own=_network(own),
            rule=self.id,
            group=self.group,
        )


def _network(text: str) -> Network | None:
    return ip_network(text, strict=False) if text else None
