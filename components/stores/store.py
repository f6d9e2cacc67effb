"""What every store is: one server over one data volume, guarded before it is replaced.

A store is a pure function from its spec to a `Recipe`, and a component of a few lines that hands both to
`Store`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pulumi
from pydantic import Field

from components.base import Component, Identity
from components.containers.container import (
    ConfigFile,
    ConfigFiles,
    EnvVar,
    Hardening,
    Limits,
    SecretFile,
)
from components.containers.encryption import must_be_encrypted
from components.containers.health import CommandProbe, HealthCheck
from components.containers.image import Image
from components.containers.job import Job, JobSpec
from components.containers.mounts import Tmpfs, VolumeMount
from components.containers.network import AnyNetwork
from components.containers.service import (
    Completed,
    Dependency,
    Service,
    ServiceSpec,
    StopFirst,
    resources_of,
)
from components.containers.volume import EncryptedStorage, Volume, VolumeSpec
from components.spec import Spec
from components.stores.sizes import Size
from components.units import Address, Cpus, DnsName, Duration, Memory, Port

CONFIG = "/etc/store"
"""Where rendered settings lie; each image's own defaults stay out of the way."""
CERTIFICATE = "certificate.pem"
AUTHORITY = "ca.pem"


@dataclass(frozen=True, kw_only=True)
class Tls:
    """A server's certificate; who has it accepts no connection without TLS.

    certificate: one PEM text, the private key first, then the leaf, then its chain; the leaf names the
    store's alias (and its replica's). authority: the PEM text of the CA that clients trust; public.
    """

    certificate: pulumi.Input[str]
    authority: str


class InitScript(Spec):
    """A script that the image runs once, when it makes a new database; in the order of names."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9._-]*\.(sql|sh)$")]
    text: str


class StoreSpec(Spec):
    """What every store is told. Its data volume is protected and retained."""

    identity: Identity
    alias: DnsName
    """The name under which clients on the network find it; its certificate must have it."""
    data: VolumeSpec
    limits: Limits = Limits(cpus=Cpus("1"), memory=Memory("512MiB"))
    address: Address | None = None
    """A fixed address on the network."""
    stop_grace: Duration = Duration("60s")
    """For a clean shutdown; a server killed before its end recovers at the next start, which takes longer."""
    deadline: Duration = Duration("3m")
    """How long an update waits for it to become healthy; the making of a new database is part of it."""
    minimum_free: Size = Size("256MiB")
    """Refused on a disk with less room than this for the data."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What makes one server out of the common shape; plain values, to be compared and tested as such."""

    port: Port
    data: str
    """Where the image keeps its data."""
    user: str
    """`uid:gid` of the server in the official image."""
    command: tuple[str, ...]
    probe: str
    """A POSIX shell script that exits 0 when the server answers a real, authenticated query."""
    guard: str
    """A POSIX shell script, run over the data before the server is replaced; tells what it refuses."""
    files: Mapping[str, str]
    """Name to text of what lies in `CONFIG`."""
    run: str
    """The folder of sockets and process ids; in memory."""
    env: tuple[EnvVar, ...] = ()
    secrets: tuple[SecretFile, ...] = ()
    init: tuple[InitScript, ...] = ()
    entrypoint: tuple[str, ...] = ()


class Store(Component):
    """A `Service` named `{name}`, stop-first, over a `Volume` `{name}-data`, after a `Job` `{name}-guard`.

    The guard sees the data read-only before the running server is stopped: what it refuses stays as it was,
    with the old server going on.
    """

    spec: StoreSpec
    recipe: Recipe
    service: Service
    volume: Volume
    guard: Job

    def __init__(
        self,
        name: str,
        spec: StoreSpec,
        recipe: Recipe,
        *,
        image: Image,
        network: AnyNetwork,
        secrets: Mapping[str, pulumi.Input[str]],
        after: Sequence[Dependency] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__(name, opts=opts)
        self.spec, self.recipe, self.network = spec, recipe, network
        self.port = recipe.port
        self.volume = Volume(f"{name}-data", spec.data, identity=spec.identity, opts=self.child())
        after = [*after, *self.prepare(image)]
        self.guard = Job(
            f"{name}-guard",
            guard_spec(spec, recipe),
            image=image,
            network=network,
            volumes=[VolumeMount(volume=self.volume, target=recipe.data, read_only=True)],
            secrets=secrets,
            depends_on=resources_of(after),
            opts=self.child(),
        )
        self.service = Service(
            f"{name}-server",
            service_spec(spec, recipe),
            image=image,
            network=network,
            volumes=[VolumeMount(volume=self.volume, target=recipe.data)],
            secrets=secrets,
            after=after,
            guards=[Completed(self.guard)],
            opts=self.child(),
        )
        self.register_outputs({"containers": self.service.container_names, "volume": self.volume.volume_name})

    def prepare(self, image: Image) -> Sequence[Dependency]:
        """What else has to be done before this server starts, made as children of it."""
        del image
        return ()


def service_spec(spec: StoreSpec, recipe: Recipe) -> ServiceSpec:
    """The server's container."""
    return ServiceSpec(
        **_common(spec, recipe),
        alias=spec.alias,
        entrypoint=recipe.entrypoint,
        command=recipe.command,
        config=(_config(recipe), *_init(recipe)),
        rollout=StopFirst(address=spec.address),
        limits=spec.limits,
        stop_grace=spec.stop_grace,
        health=HealthCheck(
            probe=CommandProbe(kind="command", argv=("sh", f"{CONFIG}/probe.sh")),
            interval=Duration("5s"),
            # The making of a database counts as starting, however slow the disk is.
            start_period=spec.deadline,
            deadline=spec.deadline,
        ),
    )


def guard_spec(spec: StoreSpec, recipe: Recipe) -> JobSpec:
    """The guard's container: narrower than the server, and with the server's own image and secrets."""
    return JobSpec(
        **_common(spec, recipe),
        alias=f"{spec.alias}-guard",
        entrypoint=("sh",),
        command=(f"{CONFIG}/guard.sh",),
        config=(_config(recipe),),
        limits=Limits(cpus=Cpus("0.5"), memory=Memory("128MiB")),
    )


def preamble(spec: StoreSpec, data: str, user: str) -> str:
    """The part of a guard that all stores share: whose the data are, and whether there is room."""
    uid = user.partition(":")[0]
    storage, encryption = spec.data.storage, ""
    if isinstance(storage, EncryptedStorage):
        encryption = must_be_encrypted(data, told=f"the directory {storage.path}")
    return f"""\
set -u
data={data}
refuse() {{ echo "{spec.data.name}: $1" >&2; echo "  fix: $2" >&2; exit 1; }}
owner=$(stat -c %u "$data") || refuse 'the data cannot be looked at' 'name another directory'
[ "$owner" = {uid} ] || refuse "the data belong to user $owner, the server runs as user {uid}" \\
    'name another directory, or hand it over with chown -R {user}'
free=$(df -Pk "$data" | awk 'NR == 2 {{ print $4 }}')
[ "$free" -ge {spec.minimum_free.bytes // 1024} ] \\
    || refuse "$((free / 1024)) MiB are free for the data, {spec.minimum_free} are needed" \\
        'make room on that disk, name another directory, or lower minimum_free'
{encryption}"""


def _common(spec: StoreSpec, recipe: Recipe) -> dict[str, Any]:
    return {
        "identity": spec.identity,
        "env": recipe.env,
        "secrets": recipe.secrets,
        "tmpfs": (Tmpfs(target="/tmp"), Tmpfs(target=recipe.run)),  # noqa: S108  (paths inside the container)
        "hardening": Hardening(user=recipe.user),
    }


def _config(recipe: Recipe) -> ConfigFiles:
    texts = {**recipe.files, "probe.sh": recipe.probe, "guard.sh": recipe.guard}
    files = tuple(ConfigFile(name=name, text=text) for name, text in sorted(texts.items()))
    return ConfigFiles(target=CONFIG, files=files)


def _init(recipe: Recipe) -> tuple[ConfigFiles, ...]:
    if not recipe.init:
        return ()
    files = tuple(ConfigFile(name=script.name, text=script.text) for script in recipe.init)
    return (ConfigFiles(target="/docker-entrypoint-initdb.d", files=files),)
