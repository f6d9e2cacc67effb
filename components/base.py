"""What every component is: a node of the resource tree whose children carry its name and its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi

from components.spec import Spec
from components.units import Port


class Scrape(Spec):
    """Where Prometheus reads metrics from the container."""

    port: Port
    path: str = "/metrics"


class Identity(Spec):
    """Which stack, system and service an object belongs to. Its labels tell what is ours."""

    stack: str
    system: str
    service: str

    def labels(self, scrape: Scrape | None = None) -> Mapping[str, str]:
        """Label name to value, in a fixed order."""
        labels = {"berth.service": self.service, "berth.stack": self.stack, "berth.system": self.system}
        if scrape is not None:
            labels |= {
                "prometheus.io/path": scrape.path,
                "prometheus.io/port": str(scrape.port),
                "prometheus.io/scrape": "true",
            }
        return labels


class Component(pulumi.ComponentResource):
    """Base of all components. A subclass sets `kind`; its type token is `berth:<kind>`, a public contract.

    Provider, protection and transforms given in `opts` reach the children because they are made with `child`.
    """

    kind: ClassVar[str]

    def __init__(self, name: str, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(f"berth:{self.kind}", name, None, opts)
        self.name = name

    def child(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child; the keywords are those of `pulumi.ResourceOptions`."""
        return pulumi.ResourceOptions(parent=self, **options)
