"""What systems ask of a cloud machine that carries them: its doors and its size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from components.cloud.capacity import Capacity
from components.cloud.firewall import Doors, OperatorRange, PublicPort
from stacks.claims import PUBLIC_PORTS, is_closed
from stacks.system import SystemSettings


def doors(systems: Iterable[SystemSettings], operators: Sequence[OperatorRange] = ()) -> Doors:
    """A public port that is published: everybody's. One that is asked for: the intranet's.

    What is published for operators alone is opened to nobody else.
    """
    systems = list(systems)
    claims = [claim for system in systems for claim in system.port_claims()]
    published = {claim.port for claim in claims if not is_closed(claim.address, operators)}
    public = published.intersection(PUBLIC_PORTS)
    asked = {port for system in systems for port in system.intranet_ports()}
    return Doors(
        public=tuple(cast(PublicPort, port) for port in sorted(public)),
        intranet=tuple(sorted(asked - public)),
    )


def loads(systems: Mapping[str, SystemSettings]) -> dict[str, Capacity]:
    """The least for each system, by its name."""
    return {name: system.least() for name, system in systems.items()}
