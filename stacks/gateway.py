"""The gateway system (systems.md, 3): api-gateway -> douyin-processor -> file-system-go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from components.base import Scrape
from components.containers.container import ConfigFile, ConfigFiles, Limits, SecretFile
from components.containers.mounts import VolumeMount
from components.containers.network import AnyNetwork, ExistingNetwork
from components.containers.service import (
    Dependency,
    Healthy,
    PublishedPort,
    Service,
    StartFirst,
    StopFirst,
)
from stacks.assembly import Assembly
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
    ProcessorService,
    StandaloneGateway,
    StandaloneProcessor,
    Unified,
)
from stacks.snapshots import snapshots

_OTHER_FILES = 512  # of a gateway: what it refuses at the door, scrapes, its own
_FILES_URL = "http://file-system-go:8000"


def compose(system: Assembly, settings: GatewaySettings) -> dict[str, object]:
    """One of the three deployments: all in one, the gateway alone, or the processor alone."""
    match settings:
        case Unified():
            network = system.network(settings.network.name, settings.network.subnet)
            result = result_url(settings.gateway)
            processor = _process(system, network, settings.processor, settings.files, result=result)
            url = _enter(system, network, settings.gateway, PROCESSOR_URL, after=[Healthy(processor)])
            snapshots(system, settings.snapshots, network=network, after=[Healthy(processor)])
            return system.finish(url=url, checks=checks(settings.gateway, processor_here=True))
        case StandaloneGateway():
            network = system.network(settings.network.name, settings.network.subnet)
            url = _enter(system, network, settings.gateway, settings.processor_url)
            return system.finish(url=url, checks=checks(settings.gateway, processor_here=False))
        case StandaloneProcessor():
            joined = system.join(_existing(system, settings.network))
            processor = _process(
                system, joined, settings.processor, settings.files, result=settings.result_url
            )
            snapshots(system, settings.snapshots, network=joined, after=[Healthy(processor)])
            return system.finish()
        case _:
            assert_never(settings)


def _existing(system: Assembly, network: NetworkByName | NetworkOfStack) -> AnyNetwork:
    if isinstance(network, NetworkOfStack):
        return ExistingNetwork.of_stack(network.stack, "gateway")
    return ExistingNetwork.by_name(network.name, provider=system.host.provider)


def _enter(
    system: Assembly,
    network: AnyNetwork,
    gateway: GatewayService,
    processor_url: str,
    *,
    after: Sequence[Dependency] = (),
) -> str:
    """api-gateway. Its routes change in place: a host port cannot be handed over without a gap."""
    services = ConfigFile(name="services.yaml", text=services_yaml(gateway, processor_url))
    system.service(
        "api-gateway",
        8010,
        image=system.image("api-gateway", gateway.image),
        network=network,
        # A client and its service each; newer engines give a process 1024 unless told otherwise.
        limits=Limits(
            cpus=gateway.cpus, memory=gateway.memory, open_files=2 * gateway.connections + _OTHER_FILES
        ),
        rollout=StopFirst(
            publish=(PublishedPort(container=8010, host=gateway.port, address=gateway.address),)
        ),
        config=[ConfigFiles(target=CONFIG, files=(services,), reload="in place")],
        env={
            "GATEWAY_CONNECTIONS": str(gateway.connections),
            "GATEWAY_CONNECTIONS_PER_CLIENT": str(gateway.connections_per_client),
        },
        scrape=Scrape(port=9010),
        after=after,
    )
    public = system.host.spec.public_address if gateway.address == "0.0.0.0" else gateway.address  # noqa: S104
    return f"http://{public}:{gateway.port}"


def _process(
    system: Assembly,
    network: AnyNetwork,
    processor: ProcessorService,
    files: FilesHere | FilesElsewhere,
    *,
    result: str,
) -> Service:
    """douyin-processor, and the file system service where it is ours."""
    after: list[Dependency] = []
    files_url = _FILES_URL
    if isinstance(files, FilesElsewhere):
        files_url = files.base_url
    else:
        after.append(Healthy(_store(system, network, files)))
    app = ConfigFile(name="app.yaml", text=app_yaml(processor, files_url, result))
    return system.service(
        "douyin-processor",
        8093,
        image=system.image("douyin-processor", processor.image),
        network=network,
        limits=Limits(cpus=processor.cpus, memory=processor.memory),
        rollout=StartFirst(replicas=processor.replicas),
        config=[ConfigFiles(target=CONFIG, files=(app,))],
        secrets=[SecretFile(name=ALIYUN_ACCESS_KEY.name, env="ALIYUN_ACCESS_KEY_FILE")],
        volumes=[_data(system, "processor")],
        scrape=Scrape(port=8093),
        after=after,
    )


def _store(system: Assembly, network: AnyNetwork, files: FilesHere) -> Service:
    """file-system-go with its audio."""
    return system.service(
        "file-system-go",
        8000,
        image=system.image("file-system-go", files.image),
        network=network,
        limits=Limits(cpus=files.cpus, memory=files.memory),
        env={"SAMPLE": str(files.samples).lower()},
        volumes=[_data(system, "audio")],
    )


def _data(system: Assembly, role: str) -> VolumeMount:
    name = f"{role}-data"
    return VolumeMount(volume=system.volume(role, name, system.data(name)), target=DATA)
