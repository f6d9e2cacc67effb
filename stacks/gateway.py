"""The gateway system (systems.md, 3): api-gateway -> douyin-processor -> file-system-go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import assert_never

import pulumi

from components.base import Component, Identity, Scrape
from components.containers.container import ConfigFile, ConfigFiles, EnvVar, Limits, SecretFile
from components.containers.health import HealthCheck, HttpProbe
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.network import AnyNetwork, ExistingNetwork, Network, NetworkSpec
from components.containers.service import (
    Dependency,
    Healthy,
    PublishedPort,
    Rollout,
    Service,
    ServiceSpec,
    StartFirst,
    StopFirst,
)
from components.containers.volume import Volume, VolumeSpec
from components.host import Host
from components.units import Duration
from stacks.gateway_files import CONFIG, DATA, app_yaml, checks, result_url, services_yaml
from stacks.gateway_settings import (
    ALIYUN_ACCESS_KEY,
    PROCESSOR_URL,
    FilesElsewhere,
    FilesHere,
    GatewayService,
    GatewaySettings,
    NetworkByName,
    NetworkOfStack,
    OwnNetwork,
    ProcessorService,
    StandaloneGateway,
    StandaloneProcessor,
    Unified,
)
from stacks.image_settings import ImageChoice, ImagesSettings
from stacks.images import image_spec

_FILES_URL = "http://file-system-go:8000"


class Gateway(Component):
    """One of the three deployments: all in one, the gateway alone, or the processor alone.

    project: the folder of Pulumi.yaml. secrets: by name; those that the settings ask for must be there.
    """

    kind = "stacks:Gateway"

    def __init__(
        self,
        name: str,
        settings: GatewaySettings,
        *,
        images: ImagesSettings,
        secrets: Mapping[str, pulumi.Input[str]],
        host: Host,
        project: Path,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=pulumi.ResourceOptions.merge(host.options(), opts))
        self._images, self._secrets, self._host, self._project = images, secrets, host, project
        self._services: dict[str, tuple[Service, int]] = {}
        self._volumes: list[Volume] = []
        self._url: str | None = None
        self._checks: list[str] = []
        match settings:
            case Unified():
                self._network = self._own(settings.network)
                result = result_url(settings.gateway)
                processor = self._process(settings.processor, settings.files, result=result)
                self._enter(settings.gateway, PROCESSOR_URL, after=[Healthy(processor)])
                self._checks = checks(settings.gateway, processor_here=True)
            case StandaloneGateway():
                self._network = self._own(settings.network)
                self._enter(settings.gateway, settings.processor_url)
                self._checks = checks(settings.gateway, processor_here=False)
            case StandaloneProcessor():
                self._network = self._joined(settings.network)
                self._process(settings.processor, settings.files, result=settings.result_url)
            case _:
                assert_never(settings)
        self.outputs = self._outputs()
        self.register_outputs(self.outputs)

    def _own(self, network: OwnNetwork) -> AnyNetwork:
        spec = NetworkSpec(name=network.name, subnet=network.subnet)
        return Network(f"{self.name}-network", spec, identity=self._identity("network"), opts=self.child())

    def _joined(self, network: NetworkByName | NetworkOfStack) -> AnyNetwork:
        if isinstance(network, NetworkOfStack):
            return ExistingNetwork.of_stack(network.stack, "gateway")
        return ExistingNetwork.by_name(network.name, provider=self._host.provider)

    def _enter(
        self, gateway: GatewayService, processor_url: str, *, after: Sequence[Dependency] = ()
    ) -> None:
        """api-gateway. Its routes change in place: a host port cannot be handed over without a gap."""
        services = ConfigFile(name="services.yaml", text=services_yaml(gateway, processor_url))
        self._serve(
            "api-gateway",
            8010,
            gateway.image,
            limits=Limits(cpus=gateway.cpus, memory=gateway.memory),
            rollout=StopFirst(
                publish=(PublishedPort(container=8010, host=gateway.port, address=gateway.address),)
            ),
            config=ConfigFiles(target=CONFIG, files=(services,), reload="in place"),
            env=(
                EnvVar(name="GATEWAY_CONNECTIONS", value=str(gateway.connections)),
                EnvVar(name="GATEWAY_CONNECTIONS_PER_CLIENT", value=str(gateway.connections_per_client)),
            ),
            scrape=Scrape(port=9010),
            after=after,
        )
        public = self._host.spec.public_address if gateway.address == "0.0.0.0" else gateway.address  # noqa: S104
        self._url = f"http://{public}:{gateway.port}"

    def _process(
        self, processor: ProcessorService, files: FilesHere | FilesElsewhere, *, result: str
    ) -> Service:
        """douyin-processor, and the file system service where it is ours."""
        after: list[Dependency] = []
        files_url = _FILES_URL
        if isinstance(files, FilesElsewhere):
            files_url = files.base_url
        else:
            after.append(Healthy(self._store(files)))
        app = ConfigFile(name="app.yaml", text=app_yaml(processor, files_url, result))
        return self._serve(
            "douyin-processor",
            8093,
            processor.image,
            limits=Limits(cpus=processor.cpus, memory=processor.memory),
            rollout=StartFirst(replicas=processor.replicas),
            config=ConfigFiles(target=CONFIG, files=(app,)),
            secrets=(SecretFile(name=ALIYUN_ACCESS_KEY.name, env="ALIYUN_ACCESS_KEY_FILE"),),
            data=self._data("processor"),
            scrape=Scrape(port=8093),
            after=after,
        )

    def _store(self, files: FilesHere) -> Service:
        """file-system-go with its audio."""
        return self._serve(
            "file-system-go",
            8000,
            files.image,
            limits=Limits(cpus=files.cpus, memory=files.memory),
            env=(EnvVar(name="SAMPLE", value=str(files.samples).lower()),),
            data=self._data("audio"),
        )

    def _serve(
        self,
        role: str,
        port: int,
        image: ImageChoice | None,
        *,
        limits: Limits,
        rollout: Rollout = StartFirst(),  # noqa: B008  (frozen)
        config: ConfigFiles | None = None,
        env: tuple[EnvVar, ...] = (),
        secrets: tuple[SecretFile, ...] = (),
        data: Volume | None = None,
        scrape: Scrape | None = None,
        after: Sequence[Dependency] = (),
    ) -> Service:
        spec = ServiceSpec(
            identity=self._identity(role),
            alias=role,
            limits=limits,
            rollout=rollout,
            health=HealthCheck(probe=HttpProbe(port=port), interval=Duration("3s"), timeout=Duration("3s")),
            config=(config,) if config else (),
            env=env,
            secrets=secrets,
            scrape=scrape,
            # More than what the processor takes to drain and stop.
            stop_grace=Duration("15s"),
        )
        source = image_spec(role, image, self._images, project=self._project)
        service = Service(
            f"{self.name}-{role}",
            spec,
            image=Image(f"{self.name}-{role}-image", source, opts=self.child()),
            network=self._network,
            volumes=[VolumeMount(volume=data, target=DATA)] if data else [],
            secrets={secret.name: self._secrets[secret.name] for secret in secrets},
            after=after,
            opts=self.child(),
        )
        self._services[role] = service, port
        return service

    def _data(self, role: str) -> Volume:
        spec = VolumeSpec(name=f"{self.name}-{pulumi.get_stack()}-{role}-data")
        volume = Volume(f"{self.name}-{role}-data", spec, identity=self._identity(role), opts=self.child())
        self._volumes.append(volume)
        return volume

    def _identity(self, service: str) -> Identity:
        return Identity(stack=pulumi.get_stack(), system="gateway", service=service)

    def _outputs(self) -> dict[str, object]:
        """stacks.outputs.SystemOutputs, not yet known."""
        return {
            "services": {
                role: {"containers": service.container_names, "alias": service.spec.alias, "port": port}
                for role, (service, port) in self._services.items()
            },
            "networks": [self._network.network_name],
            "volumes": [volume.volume_name for volume in self._volumes],
            "url": self._url,
            "checks": self._checks,
        }
