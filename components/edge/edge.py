"""The edge: nginx before the services of a system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.base import Component
from components.containers.handover import Handover
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.network import AnyNetwork
from components.containers.service import Dependency, Service
from components.edge.sites import EdgeSpec


class Edge(Component):
    """nginx as `{name}-nginx-1`. Its configuration and certificates change in place, its image does not.

    upstreams: all that a route names, made before their services. certificates: PEM texts (key, leaf, chain)
    by name; one that has expired or does not match its key raises ValueError. image: the reference image
    `nginx`, or the official one.
    """

    kind = "edge:Edge"
    service: Service

    def __init__(
        self,
        name: str,
        spec: EdgeSpec,
        *,
        image: Image,
        network: AnyNetwork,
        upstreams: Sequence[Handover] = (),
        certificates: Mapping[str, pulumi.Input[str]] | None = None,
        volumes: Sequence[VolumeMount] = (),
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
