"""What services and jobs share: all that one container can need, as typed fields with safe defaults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

import pulumi
import pulumi_docker as docker
from pydantic import Field, model_validator

from components.base import Component, Identity, Scrape
from components.containers.files import Files, FilesSpec, Reload
from components.containers.gpu import Gpu, device_request, oci_runtime
from components.containers.image import Image
from components.containers.mounts import Bind, NamedMount, Tmpfs, VolumeMount
from components.containers.network import AnyNetwork
from components.spec import Spec
from components.units import AbsolutePath, Address, Cpus, DnsName, Duration, EnvName, FileName, Memory

_LOOKS_SECRET = ("PASSWORD", "PASSWD", "SECRET", "TOKEN", "PRIVATE_KEY", "API_KEY", "ACCESS_KEY")

SECRETS = "/run/secrets"


class EnvVar(Spec):
    """One environment variable; readable by anyone who may inspect the container, so never a secret."""

    name: EnvName
    value: str

    @model_validator(mode="after")
    def _is_no_secret(self) -> EnvVar:
        if self.name.upper().endswith(_LOOKS_SECRET):
            raise ValueError(
                f"{self.name} reads like a secret; allowed: a SecretFile, which sets {self.name}_FILE"
            )
        return self


class ConfigFile(Spec):
    """One rendered file."""

    name: FileName
    text: str


class ConfigFiles(Spec):
    """Rendered files in one folder, mounted read-only."""

    target: AbsolutePath
    files: Annotated[tuple[ConfigFile, ...], Field(min_length=1)]
    reload: Reload = "replace"


class SecretFile(Spec):
    """A secret at `/run/secrets/<name>`; its value comes beside the spec, as an Output."""

    name: FileName
    env: EnvName | None = None
    """The variable that tells the image the path, such as `MYSQL_PASSWORD_FILE`."""


class Limits(Spec):
    """What a container may use at most; no swap beyond its memory. The provider has no limit of processes."""

    cpus: Cpus = Cpus("0.5")
    memory: Memory = Memory("256MiB")
    reserved_cpus: Cpus | None = None
    """Its weight against other containers while all want to run: 1 has the weight of one core."""
    reserved_memory: Memory | None = None
    """Kept free for it when the host runs short."""
    shared_memory: Memory = Memory("64MiB")
    """The size of /dev/shm."""
    open_files: Annotated[int, Field(ge=64, le=1048576)] | None = None

    @model_validator(mode="after")
    def _reservation_fits(self) -> Limits:
        if self.reserved_cpus and Decimal(self.reserved_cpus) > Decimal(self.cpus):
            raise ValueError(f"reserved_cpus {self.reserved_cpus} is more than cpus; allowed: {self.cpus}")
        if self.reserved_memory and self.reserved_memory.bytes > self.memory.bytes:
            raise ValueError(
                f"reserved_memory {self.reserved_memory} is more than memory; allowed: {self.memory}"
            )
        return self


class Hardening(Spec):
    """What the process may do. Every weaker value is an exception: write the reason beside it."""

    user: Annotated[str, Field(pattern=r"^[a-z0-9_][a-z0-9_-]*(:[a-z0-9_-]+)?$")] | None = "10001:10001"
    """None: the image's own user."""
    read_only_root: bool = True
    add_capabilities: tuple[Annotated[str, Field(pattern=r"^CAP_[A-Z_]+$")], ...] = ()
    """All others are dropped."""
    init: bool = True
    """A process 1 that reaps children and passes signals on."""


class Logging(Spec):
    """Rotation of what the container prints."""

    max_size: Annotated[str, Field(pattern=r"^[1-9][0-9]*[kmg]$")] = "10m"
    max_files: Annotated[int, Field(ge=1, le=20)] = 3


class ContainerSpec(Spec):
    """One container, whatever runs in it."""

    identity: Identity
    alias: DnsName
    """The name under which other containers on the network find it."""
    command: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Empty: the image's own."""
    entrypoint: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Empty: the image's own."""
    working_dir: AbsolutePath | None = None
    env: tuple[EnvVar, ...] = ()
    config: tuple[ConfigFiles, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    secrets_reload: Reload = "replace"
    """`in place` only for what watches them."""
    tmpfs: tuple[Tmpfs, ...] = (Tmpfs(target="/tmp"),)  # noqa: S108  (a path inside the container)
    binds: tuple[Bind, ...] = ()
    gpu: Gpu | None = None
    limits: Limits = Limits()
    hardening: Hardening = Hardening()
    logging: Logging = Logging()
    scrape: Scrape | None = None
    name_timeout: Duration | None = None
    """How long the search for a name may take, in whole seconds; None: as the image has it, up to 20 s. For
    what speaks to containers of its network only: the name of one that is gone is asked for outside, and a
    closed network's name server may never answer."""
    stop_grace: Duration = Duration("10s")
    """Between SIGTERM and SIGKILL."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> ContainerSpec:
        _unique("env", [env.name for env in self.env] + [secret.env for secret in self.secrets if secret.env])
        _unique("secrets", [secret.name for secret in self.secrets])
        targets = [folder.target for folder in self.config]
        targets += [tmpfs.target for tmpfs in self.tmpfs] + [bind.target for bind in self.binds]
        _unique("targets", [*targets, *([SECRETS] if self.secrets else [])])
        return self


def _unique(what: str, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{what}: {', '.join(twice)} given twice; allowed: each once")


def files_of(
    parent: Component,
    spec: ContainerSpec,
    *,
    image: Image,
    secrets: Mapping[str, pulumi.Input[str]],
    after: Sequence[pulumi.Input[pulumi.Resource]] = (),
) -> list[Files]:
    """The config and secret files of a container, as children of `parent`. after: what they wait for."""
    names = tuple(secret.name for secret in spec.secrets)
    if set(names) != set(secrets):
        raise ValueError(
            f"{parent.name}: secrets {sorted(names)} described, values of {sorted(secrets)} given"
        )

    def files(role: str, files: FilesSpec, contents: Mapping[str, pulumi.Input[str]]) -> Files:
        return Files(
            f"{parent.name}-{role}",
            files,
            contents=contents,
            image=image.reference,
            identity=spec.identity,
            after=after,
            opts=parent.child(),
        )

    made = []
    for number, folder in enumerate(spec.config, start=1):
        texts = {file.name: file.text for file in folder.files}
        role = "config" if number == 1 else f"config-{number}"
        made.append(
            files(role, FilesSpec(target=folder.target, reload=folder.reload, names=(*texts,)), texts)
        )
    if names:
        values = {name: pulumi.Output.secret(secrets[name]) for name in names}
        described = FilesSpec(target=SECRETS, reload=spec.secrets_reload, names=names)
        made.append(files("secrets", described, values))
    return made


def container_args(
    spec: ContainerSpec,
    *,
    image: Image,
    network: AnyNetwork,
    files: Sequence[Files],
    volumes: Sequence[VolumeMount | NamedMount],
    address: Address | None = None,
    further: Sequence[AnyNetwork] = (),
) -> dict[str, Any]:
    """The inputs of `docker.Container` that services and jobs have in common. further: other networks."""
    env = [(env.name, env.value) for env in spec.env]
    env += [(secret.env, f"{SECRETS}/{secret.name}") for secret in spec.secrets if secret.env]
    mounts = [mount for file in files for mount in file.mounts]
    mounts += [volume.args() for volume in volumes]
    mounts += [bind.args() for bind in spec.binds if not bind.create]
    mounts += [tmpfs.args() for tmpfs in spec.tmpfs]
    limits, hardening = spec.limits, spec.hardening
    return {
        "image": image.reference,
        "command": list(spec.command) or None,
        "entrypoints": list(spec.entrypoint) or None,
        "working_dir": spec.working_dir,
        "envs": [f"{name}={value}" for name, value in sorted(env)],
        "networks_advanced": [
            docker.ContainerNetworksAdvancedArgs(
                name=network.network_name, aliases=[spec.alias], ipv4_address=address
            ),
            *(
                docker.ContainerNetworksAdvancedArgs(name=other.network_name, aliases=[spec.alias])
                for other in further
            ),
        ],
        "mounts": mounts,
        "volumes": [
            *(volume for file in files for volume in file.volumes),
            *(bind.volume() for bind in spec.binds if bind.create),
        ]
        or None,
        "cpus": limits.cpus.docker,
        # The engine has no reservation of processors; 1024 is its weight of one (and its default).
        "cpu_shares": int(Decimal(limits.reserved_cpus) * 1024) if limits.reserved_cpus else None,
        "memory": limits.memory.mebibytes,
        # Equal to memory: no swap. Unset, the engine's own value would differ on every preview.
        "memory_swap": limits.memory.mebibytes,
        "dns_opts": (
            # A question each second: one that the engine was too busy to answer is asked again.
            [f"attempts:{spec.name_timeout.whole_seconds}", "timeout:1"] if spec.name_timeout else None
        ),
        "memory_reservation": limits.reserved_memory.mebibytes if limits.reserved_memory else None,
        "shm_size": limits.shared_memory.mebibytes,
        "ulimits": (
            [docker.ContainerUlimitArgs(name="nofile", soft=limits.open_files, hard=limits.open_files)]
            if limits.open_files
            else None
        ),
        "user": hardening.user,
        "read_only": hardening.read_only_root,
        "init": hardening.init,
        "security_opts": ["no-new-privileges"],
        "capabilities": docker.ContainerCapabilitiesArgs(
            drops=["ALL"], adds=list(hardening.add_capabilities) or None
        ),
        "device_requests": [device_request(spec.gpu)] if spec.gpu else None,
        "runtime": oci_runtime(spec.gpu) if spec.gpu else None,
        "log_driver": "json-file",
        "log_opts": {"max-file": str(spec.logging.max_files), "max-size": spec.logging.max_size},
        "labels": [
            docker.ContainerLabelArgs(label=k, value=v) for k, v in spec.identity.labels(spec.scrape).items()
        ],
        "stop_timeout": spec.stop_grace.whole_seconds,
        "destroy_grace_seconds": spec.stop_grace.whole_seconds,
    }


RestartPolicy = Literal["no", "on-failure", "always", "unless-stopped"]
