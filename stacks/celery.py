"""The celery system (systems.md, 2): taifish, a Flask application with Celery workers."""

from __future__ import annotations

from functools import partial

from components.base import Scrape
from components.containers.container import ConfigFile, ConfigFiles, Limits, SecretFile
from components.containers.directories import Directory
from components.containers.handover import UpstreamSpec
from components.containers.health import CommandProbe, HealthCheck, HttpProbe
from components.containers.mounts import VolumeMount
from components.containers.network import Network
from components.containers.service import Completed, Dependency, Healthy, StartFirst, StopFirst
from components.edge.routes import Answer, Proxy, Route
from components.stores.store import AUTHORITY
from components.units import Address, Duration
from stacks import folders
from stacks.assembly import Assembly
from stacks.celery_settings import (
    DATABASE,
    POSTGRES_CERTIFICATE,
    POSTGRES_PASSWORD,
    REDIS_PASSWORD,
    CelerySettings,
)
from stacks.certificates import authority_of, public_of
from stacks.data_settings import EngineData
from stacks.snapshots import snapshots
from stacks.stores import postgres, redis

_TLS = "/etc/taifish/tls"
_DATA = "/app/data"
_FOLDERS = ("logs", "uploads", "exports", "backups")
_ON_HOST = (
    Directory(path="data/postgres", owner="70:70", mode="700"),
    Directory(path="data/redis", owner="999:1000", mode="700"),
    *(Directory(path=f"data/app/{folder}", owner=folders.OURS) for folder in _FOLDERS),
    Directory(path="ssl", owner=folders.OURS, mode="755"),
    Directory(path="logs", owner=folders.OURS, mode="755"),
    # What a dump holds is for its owner alone.
    Directory(path="backups", owner="70:70", mode="700"),
)
_REPOSITORY = Directory(path="snapshots", owner=folders.OURS, mode="700")
_SECRETS = (
    SecretFile(name=POSTGRES_PASSWORD.name, env="DATABASE_PASSWORD_FILE"),
    SecretFile(name=REDIS_PASSWORD.name, env="REDIS_PASSWORD_FILE"),
)
# A worker writes a sign of life every few seconds; it needs no port for that.
_ALIVE = HealthCheck(probe=CommandProbe(kind="command", argv=("taifish-alive",)), interval=Duration("5s"))
_ROUTES = (
    Route(path="/", to=Proxy(upstream="app")),
    # For Prometheus inside the network; /health is public, `up` and monitors ask it.
    Route(path="/metrics", exact=True, to=Answer(kind="answer", status=404)),
    Route(path="/static/", to=Proxy(upstream="app"), immutable=True),
    Route(path="/api/uploads", to=Proxy(upstream="app", timeout=Duration("2m")), max_body="200m"),
)


def compose(system: Assembly, settings: CelerySettings) -> dict[str, object]:
    """Stores, then the schema, then the application, then workers, beat and the door."""
    addresses = settings.network.addresses()
    network = system.network(settings.network.name, settings.network.subnet, fixed_addresses=True)
    made = _folders(system, network, settings)
    stores = _stores(system, network, settings, addresses, after=made)
    image = system.image("taifish", settings.app.image)
    nginx = system.image("nginx", settings.nginx.image)
    authority = ConfigFile(name=AUTHORITY, text=system.tls(POSTGRES_CERTIFICATE.name).authority)
    config = [ConfigFiles(target=_TLS, files=(authority,))]
    env = {
        "DATABASE_URL": f"postgresql://{DATABASE}@postgres:5432/{DATABASE}"
        f"?sslmode=verify-full&sslrootcert={_TLS}/{AUTHORITY}",
        "REDIS_URL": "redis://redis:6379/0",
        "DATA": _DATA,
    }
    schema = system.job(
        "migrate",
        image=image,
        network=network,
        command=("taifish-migrate",),
        env=env,
        config=config,
        secrets=_SECRETS,
        after=stores,
    )
    data = [_data(system, settings, folder) for folder in _FOLDERS]
    app = settings.app
    upstream = system.upstream(
        UpstreamSpec(name="app", port=5000, keepalive=32, drain=settings.nginx.drain, pause=app.pause),
        nginx=nginx,
    )
    service = partial(
        system.service,
        image=image,
        network=network,
        config=config,
        secrets=_SECRETS,
        name_timeout=Duration("2s"),
    )
    application = service(
        "app",
        5000,
        command=("taifish-app",),
        env=env | {"PORT": "5000"},
        volumes=data,
        limits=Limits(
            cpus=app.cpus,
            memory=app.memory,
            reserved_cpus=app.reserved_cpus,
            reserved_memory=app.reserved_memory,
        ),
        health=HealthCheck(
            probe=HttpProbe(port=5000),
            interval=app.health_interval,
            timeout=Duration("10s"),
            retries=3,
            start_period=Duration("40s"),
        ),
        rollout=StopFirst(replicas=app.replicas, address=addresses["app"]),
        scrape=Scrape(port=5000),
        stop_grace=Duration("30s"),
        after=[*stores, Completed(schema)],
        handover=upstream,
    )
    serves = [Healthy(application)]
    worker, beat = settings.worker, settings.beat
    service(
        "worker",
        None,
        command=("taifish-worker",),
        env=env | {"CONCURRENCY": str(worker.concurrency)},
        volumes=data,
        limits=Limits(cpus=worker.cpus, memory=worker.memory),
        health=_ALIVE,
        rollout=StartFirst(replicas=worker.replicas),
        stop_grace=worker.stop_grace,
        after=serves,
    )
    service(
        "beat",
        None,
        command=("taifish-beat",),
        env=env,
        limits=Limits(cpus=beat.cpus, memory=beat.memory),
        health=_ALIVE,
        # Exactly one: two would start every task twice.
        rollout=StopFirst(),
        after=serves,
    )
    system.door(
        settings.nginx,
        _ROUTES,
        nginx=nginx,
        network=network,
        upstreams=[upstream],
        address=addresses["nginx"],
        after=serves,
    )
    snapshots(
        system,
        settings.snapshots,
        network=network,
        storage=settings.data.storage("snapshots"),
        # The nightly dumps: the database itself is in every snapshot.
        leave_out=("backups",),
        after=serves,
    )
    return system.finish(checks=["/health"])


def _data(system: Assembly, settings: CelerySettings, folder: str) -> VolumeMount:
    """A folder of the application."""
    spec = system.data(f"app_{folder}", settings.data.storage(f"data/app/{folder}"))
    return VolumeMount(volume=system.volume("app", f"app-{folder}", spec), target=f"{_DATA}/{folder}")


def _folders(system: Assembly, network: Network, settings: CelerySettings) -> list[Dependency]:
    """What `data` has on the host, and the certificates that clients there need."""
    data = settings.data
    if isinstance(data, EngineData):
        return []
    # Root makes the folders: with an image that is there anyway and has a shell.
    image = system.image("redis", settings.redis.image)
    wanted = (*_ON_HOST, *((_REPOSITORY,) if settings.snapshots else ()))
    made = folders.prepare(system, data, wanted, image=image, network=network)
    public = {"postgres-authority.pem": system.tls(POSTGRES_CERTIFICATE.name).authority}
    # One that is renewed by itself would soon be another one than on the host.
    if bundle := system.bundle(settings.nginx):
        public = {"certificate.pem": public_of(bundle), "authority.pem": authority_of(bundle), **public}
    folders.publish(
        system,
        "certificates",
        public,
        folder=f"{data.root}/ssl",
        logs=f"{data.root}/logs",
        after=made,
        image=image,
        network=network,
    )
    return [made]


def _stores(
    system: Assembly,
    network: Network,
    settings: CelerySettings,
    addresses: dict[str, Address],
    *,
    after: list[Dependency],
) -> list[Healthy]:
    """PostgreSQL, then Redis."""
    database = postgres(
        system,
        settings.postgres,
        network=network,
        database=DATABASE,
        password=POSTGRES_PASSWORD,
        certificate=POSTGRES_CERTIFICATE,
        data=system.data("postgres_data", settings.data.storage("data/postgres")),
        address=addresses["postgres"],
        after=after,
        backup=settings.backup,
        backups=system.data("backups", settings.data.storage("backups")),
    )
    broker = redis(
        system,
        settings.redis,
        network=network,
        password=REDIS_PASSWORD,
        data=system.data("redis_data", settings.data.storage("data/redis")),
        address=addresses["redis"],
        after=[database],
    )
    return [database, broker]
