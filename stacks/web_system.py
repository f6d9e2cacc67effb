"""What a stack asks of a system behind an edge, answered once for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from stacks.backup_settings import Snapshots
from stacks.claims import NetworkClaim, PortClaim, SubnetClaim
from stacks.edge_settings import EdgeService
from stacks.image_settings import THIRD_PARTY, WantedImage
from stacks.problems import Problem
from stacks.secrets import SecretRequest
from stacks.system import OwnNetwork, ServiceSettings, SystemSettings


class WebSystem(SystemSettings):
    """A system with HTTPS before it; a subclass has its services as fields.

    system: its name. network: with the default name in a subclass of OwnNetwork.
    """

    system: ClassVar[str]
    network: OwnNetwork
    nginx: EdgeService = EdgeService()
    snapshots: Snapshots | None = None
    """Backups of all files and databases; unset: none."""

    def port_claims(self) -> Iterator[PortClaim]:
        return self.nginx.port_claims(self._path("nginx"))

    def subnet_claims(self) -> Iterator[SubnetClaim]:
        return self.network.claims(self._path("network"))

    def network_claims(self) -> Iterator[NetworkClaim]:
        return self.network.name_claims(self._path("network"))

    def certificate_problems(self) -> Iterator[Problem]:
        return self.nginx.certificate_problems(self._path("nginx"))

    def secrets(self) -> Iterator[SecretRequest]:
        """The certificate of the door, and what opens the backups; a subclass adds its own."""
        yield from self.nginx.certificate_requests(self.system)
        if self.snapshots:
            yield from self.snapshots.secrets(self.system)

    def images(self) -> Iterator[WantedImage]:
        for role, service in self:
            # Images of others have names of their own, which no release of ours decides.
            if isinstance(service, ServiceSettings) and (service.image or role not in THIRD_PARTY):
                folder = service.workload or role.replace("_", "-")
                yield WantedImage(self._path(f"{role}.image"), folder, service.image)
        certbot = self.nginx.certificate
        if isinstance(certbot, ServiceSettings) and certbot.image:
            yield WantedImage(self._path("nginx.certificate.image"), "certbot", certbot.image)

    def _path(self, setting: str) -> str:
        return f"berth:{self.system}.{setting}"
