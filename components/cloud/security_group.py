"""The firewall of a machine: one security group, and each rule of it a resource of its own."""

from __future__ import annotations

import pulumi
from pulumi_alicloud.ecs import SecurityGroup as Group
from pulumi_alicloud.ecs import SecurityGroupRule

from components.base import Component, Identity
from components.cloud.firewall import FirewallSpec, rules


class SecurityGroup(Component):
    """Accepts what the rules of the spec name, and nothing else.

    A basic group denies what comes in and no rule accepts, except from its own members: `Drop` closes that,
    too. It lets everything out. Answers pass without a rule of their own.
    """

    kind = "cloud:SecurityGroup"

    def __init__(
        self,
        name: str,
        spec: FirewallSpec,
        *,
        identity: Identity,
        vpc_id: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """vpc_id: the VPC whose addresses `spec.vpc_cidr` are."""
        super().__init__(name, opts=opts)
        group = Group(
            f"{name}-group",
            security_group_name=name,
            description=f"{identity.system} of stack {identity.stack}",
            security_group_type="normal",
            inner_access_policy="Drop",
            vpc_id=vpc_id,
            tags=identity.labels(),
            opts=self.child(),
        )
        for rule in rules(spec):
            SecurityGroupRule(
                f"{name}-{rule.role}",
                security_group_id=group.id,
                type="ingress",
                policy="accept",
                priority=1,
                ip_protocol="tcp",
                nic_type="intranet",  # the only one in a VPC; it stands for both networks there
                port_range=f"{rule.port}/{rule.port}",
                cidr_ip=rule.source,
                description=rule.role,
                opts=self.child(),
            )
        self.group_id = group.id
        self.register_outputs({"id": group.id})
