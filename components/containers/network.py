"""Docker networks: one that this stack owns, or one that another stack made."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
from pydantic import model_validator

from components.base import Component, Identity
from components.spec import Spec
from components.units import Cidr, ObjectName


class NetworkSpec(Spec):
    """A bridge network on one host."""

    name: ObjectName
    subnet: Cidr | None = None
    """Unset: the engine takes a free one from its pool."""
    fixed_addresses: bool = False
    """Keep the lower half of the subnet for addresses that are given out by hand: the engine, which would
    take the lowest free one, then takes those of other containers from the upper half."""
    internal: bool = False
    """Cut off from the outside: containers on it reach each other only."""

    @model_validator(mode="after")
    def _has_a_subnet_to_halve(self) -> NetworkSpec:
        if self.fixed_addresses and self.subnet is None:
            raise ValueError(f"network {self.name} has fixed addresses, but no subnet; allowed: a subnet")
        return self

    def ipam(self) -> list[docker.NetworkIpamConfigArgs] | None:
        if self.subnet is None:
            return None
        handed_out = self.subnet.upper_half if self.fixed_addresses else None
        return [docker.NetworkIpamConfigArgs(subnet=self.subnet, ip_range=handed_out)]


class Network(Component):
    """A bridge network with the given name."""

    kind = "containers:Network"

    def __init__(
        self,
        name: str,
        spec: NetworkSpec,
        *,
        identity: Identity,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        network = docker.Network(
            f"{name}-bridge",
            name=spec.name,
            driver="bridge",
            internal=spec.internal,
            ipam_configs=spec.ipam(),
            labels=[
                docker.NetworkLabelArgs(label=label, value=value)
                for label, value in identity.labels().items()
            ],
            # Its name is fixed and its subnet is its own: a second one cannot stand beside it.
            opts=self.child(delete_before_replace=True),
        )
        self.network_name = network.name
        self.register_outputs({"name": network.name})


@dataclass(frozen=True)
class ExistingNetwork:
    """A network that someone else owns; this stack only joins it."""

    network_name: pulumi.Input[str]

    @classmethod
    def by_name(cls, name: str, *, provider: docker.Provider) -> ExistingNetwork:
        """Look the network up now, so that a missing one stops the preview instead of the update."""
        try:
            found = docker.get_network(name=name, opts=pulumi.InvokeOptions(provider=provider))
        except Exception as error:
            # The plugin's own words, without the engine's before them and the more general advice after.
            cause = str(error).rpartition("returned an error: ")[2].partition("\n  fix:")[0]
            raise pulumi.RunError(
                f"network {name!r} cannot be joined: {cause}\n"
                "  fix: run `up` in the stack that owns it first, or correct the name"
            ) from None
        return cls(found.name)

    @classmethod
    def of_stack(cls, stack: str, system: str) -> ExistingNetwork:
        """The first network that `system` exports in another stack (`organization/berth/NAME` or `NAME`)."""
        systems = pulumi.StackReference(stack).require_output("systems")
        return cls(systems.apply(lambda found: _first_network(found, stack, system)))


def _first_network(systems: object, stack: str, system: str) -> str:
    try:
        return str(systems[system]["networks"][0])  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        raise ValueError(
            f"stack {stack!r} exports no network of system {system!r}; run `up` there first"
        ) from None


AnyNetwork = Network | ExistingNetwork
