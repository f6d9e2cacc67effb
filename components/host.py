"""The machine that containers run on: a Docker engine, reached over a socket, TCP with TLS, or SSH."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from components.base import Component
from components.host_spec import HostSpec, LocalHost, RegistryLogin, SshHost


class Host(Component):
    """A Docker engine. Pass `host.options()` to a component, and all its children are made there."""

    kind = "index:Host"

    def __init__(
        self,
        name: str,
        spec: HostSpec,
        *,
        registry: RegistryLogin | None = None,
        registry_password: pulumi.Input[str] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec = spec
        logins = None
        if registry is not None:
            logins = [
                docker.ProviderRegistryAuthArgs(
                    address=registry.address, username=registry.username, password=registry_password
                )
            ]
        self.provider = docker.Provider(
            f"{name}-docker",
            host=spec.address,
            ssh_opts=list(spec.ssh_opts) if isinstance(spec, SshHost) else None,
            cert_path=spec.cert_path if isinstance(spec, LocalHost) else None,
            registry_auth=logins,
            opts=self.child(),
        )
        self.register_outputs({})

    def options(self) -> pulumi.ResourceOptions:
        """Options that put a component on this host."""
        return pulumi.ResourceOptions(providers=[self.provider])
