"""The gpu system (systems.md, 4): an English listening trainer that speaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from components.care.checks import (
    AnyCheck,
    CertificateCheck,
    DiskCheck,
    ExternalCheck,
    FilesCheck,
    HttpCheck,
    PortCheck,
    PostgresCheck,
    ShareCheck,
    SpeechCheck,
    SqliteCheck,
)
from components.care.watch import AUTHORITY_FILE, DATABASE_AUTHORITY_FILE
from components.containers.container import ConfigFile, ConfigFiles, Hardening, Limits, SecretFile
from components.containers.gpu import AllGpus, visible
from components.containers.handover import UpstreamSpec
from components.containers.health import HealthCheck, HttpProbe
from components.containers.image import Image
from components.containers.mounts import VolumeMount
from components.containers.network import Network
from components.containers.service import (
    Completed,
    Dependency,
    Healthy,
    PublishedPort,
    Service,
    StartFirst,
    StopFirst,
)
from components.containers.volume import Volume
from components.edge.routes import Proxy, RateLimit, Route, Static
from components.stores.store import AUTHORITY
from components.units import Duration
from stacks.assembly import Assembly, answers
from stacks.gpu_settings import (
    ADMIN_PASSWORD,
    CEREBRAS_KEY,
    DATABASE,
    JWT_SECRET,
    POSTGRES_CERTIFICATE,
    POSTGRES_PASSWORD,
    REDIS_PASSWORD,
    Cerebras,
    GpuSettings,
)
from stacks.snapshots import snapshots
from stacks.stores import postgres, redis
from stacks.watch import watch

_DATA: Final = "/app/data"
_SQLITE: Final = f"{_DATA}/trainer.db"
_TLS: Final = "/etc/trainer/tls"
_SERVED: Final = "/srv/audio"
# The user of the image, whichever it is built on.
_OWNER: Final = "1001:1001"
_USER: Final = Hardening(user=_OWNER)
_SPOKEN: Final = RateLimit(per_second=10, burst=40)
_ASKED: Final = RateLimit(per_second=50, burst=200)


@dataclass(frozen=True)
class _Place:
    """Where the parts go, and what they share."""

    system: Assembly
    settings: GpuSettings
    network: Network
    image: Image
    data: VolumeMount

    def database(self) -> dict[str, Any]:
        """How a container reaches the database: variables, files, secrets."""
        if self.settings.postgres is None:
            return {"env": {"DATABASE_URL": f"file:{_SQLITE}"}, "config": [], "secrets": []}
        authority = ConfigFile(name=AUTHORITY, text=self.system.tls(POSTGRES_CERTIFICATE.name).authority)
        url = f"postgresql://{DATABASE}@postgres:5432/{DATABASE}"
        return {
            "env": {"DATABASE_URL": f"{url}?sslmode=verify-full&sslrootcert={_TLS}/{AUTHORITY}"},
            "config": [ConfigFiles(target=_TLS, files=(authority,))],
            "secrets": [SecretFile(name=POSTGRES_PASSWORD.name, env="DATABASE_PASSWORD_FILE")],
        }


def compose(system: Assembly, settings: GpuSettings) -> dict[str, object]:
    """Stores, then the schema, then application and administration, then the door."""
    network = system.network(settings.network.name, settings.network.subnet)
    nginx_network = system.network(
        settings.nginx_network.name, settings.nginx_network.subnet, role="nginx-network"
    )
    image = system.image("trainer", settings.app.image, flavour=settings.flavour())
    # Kept when PostgreSQL takes over, as it was then.
    data = VolumeMount(volume=system.volume("app", "app-data", system.data("app_data")), target=_DATA)
    audio = system.volume("app", "audio", system.data("audio"))
    place = _Place(system, settings, network, image, data)
    stores = _stores(place)
    database = place.database()
    # What SQLite holds comes along, once.
    moved = {"MOVE_FROM": _SQLITE} if settings.postgres else {}
    schema = system.job(
        "migrate",
        image=image,
        network=network,
        command=("trainer-migrate",),
        volumes=[data],
        hardening=_USER,
        after=stores,
        **database | {"env": database["env"] | moved},
    )
    after: list[Dependency] = [*stores, Completed(schema)]
    nginx = system.image("nginx", settings.nginx.image)
    upstream = system.upstream(UpstreamSpec(name="app", port=3000, drain=settings.nginx.drain), nginx=nginx)
    application = _application(place, VolumeMount(volume=audio, target="/app/public/audio"), after=after)
    serves = Healthy(application(handover=upstream))
    administration = Healthy(_administer(place, after=after))
    door = system.door(
        settings.nginx,
        [
            Route(path="/", to=Proxy(upstream="app")),
            Route(path="/health", exact=True, to=Proxy(upstream="app", path="/api/health")),
            Route(path="/api/", to=Proxy(upstream="app"), rate=_ASKED),
            Route(
                path="/api/tts",
                exact=True,
                to=Proxy(upstream="app", timeout=settings.speech_timeout),
                rate=_SPOKEN,
            ),
            Route(path="/audio/", to=Static(kind="static", folder=f"{_SERVED}/"), immutable=True),
        ],
        nginx=nginx,
        network=network,
        further=[nginx_network],
        volumes=[VolumeMount(volume=audio, target=_SERVED, read_only=True)],
        upstreams=[upstream],
        after=[serves],
    )
    # The certificate that the edge starts with until one is issued is nobody's to trust.
    renewed = [Healthy(system.renewal)] if system.renewal else []
    _look_after(place, audio, after=[serves, administration, Healthy(door.service), *renewed])
    snapshots(
        system,
        settings.snapshots,
        network=network,
        user=_OWNER,
        leave_out=("kokoro-models", "logs"),
        after=[serves],
    )
    return system.finish(checks=["/", "/health"])


def _application(place: _Place, audio: VolumeMount, *, after: Sequence[Dependency]) -> Any:
    """The application, but for what hands its requests over."""
    system, settings, app = place.system, place.settings, place.settings.app
    database = place.database()
    volumes = [place.data, audio]
    speaking = settings.speech_timeout.whole_seconds
    env = database["env"] | {
        "PORT": "3000",
        "KOKORO_DEVICE": settings.device,
        "KOKORO_TTS_MAX_CONCURRENCY": str(app.concurrency),
        # It gives up before the door does, and says why.
        "TTS_TIMEOUT_MS": str(max(1, speaking - 5) * 1000),
        "AUDIO_MAX_BYTES": str(app.audio.bytes),
    }
    secrets = [*database["secrets"], SecretFile(name=JWT_SECRET.name, env="JWT_SECRET_FILE")]
    gpu = None
    if settings.device == "cuda":
        gpu = settings.gpu or AllGpus()
        which = visible(gpu)
        env |= {
            "KOKORO_VENV": "/app/kokoro-local/venv",
            "PYTHONPATH": "/app/kokoro-main-ref:/app/kokoro-main-ref/kokoro.js",
            "CUDA_VISIBLE_DEVICES": app.cuda_devices,
            "PYTORCH_ENABLE_MPS_FALLBACK": "0",
            "PYTORCH_CUDA_ALLOC_CONF": "max_split_size_mb:512",
        } | ({"NVIDIA_VISIBLE_DEVICES": which} if which else {})
        weights = system.volume("app", "kokoro-models", system.data("kokoro_models"))
        volumes.append(VolumeMount(volume=weights, target="/app/kokoro-models"))
    if isinstance(settings.texts, Cerebras):
        env |= {"CEREBRAS_API_URL": settings.texts.url, "CEREBRAS_MODEL": settings.texts.model}
        secrets.append(SecretFile(name=CEREBRAS_KEY.name, env="CEREBRAS_API_KEY_FILE"))
    if settings.redis:
        env["REDIS_URL"] = "redis://redis:6379"
        secrets.append(SecretFile(name=REDIS_PASSWORD.name, env="REDIS_PASSWORD_FILE"))
    return partial(
        system.service,
        "app",
        3000,
        image=place.image,
        network=place.network,
        command=("trainer-app",),
        env=env,
        config=database["config"],
        secrets=secrets,
        volumes=volumes,
        limits=Limits(cpus=app.cpus, memory=app.memory),
        hardening=_USER,
        gpu=gpu,
        # Healthy only when HTTP and, on a GPU, CUDA both answer; a model takes its time to be loaded.
        health=HealthCheck(
            probe=HttpProbe(port=3000, path="/api/health"),
            interval=Duration("3s"),
            start_period=Duration("2m"),
            deadline=Duration("5m"),
        ),
        rollout=StartFirst(replicas=app.replicas),
        stop_grace=Duration(f"{speaking + 5}s"),
        after=after,
    )


def _administer(place: _Place, *, after: Sequence[Dependency]) -> Service:
    """The administration, for those who reach the host's own address."""
    admin, database = place.settings.admin, place.database()
    return place.system.service(
        "admin",
        3005,
        image=place.image,
        network=place.network,
        command=("trainer-admin",),
        env=database["env"] | {"PORT": "3005", "ADMIN_EMAIL": admin.email},
        config=database["config"],
        secrets=[
            *database["secrets"],
            SecretFile(name=JWT_SECRET.name, env="JWT_SECRET_FILE"),
            SecretFile(name=ADMIN_PASSWORD.name, env="ADMIN_PASSWORD_FILE"),
        ],
        volumes=[place.data],
        limits=Limits(cpus=admin.cpus, memory=admin.memory),
        hardening=_USER,
        health=answers(3005, "/admin/api/health"),
        rollout=StopFirst(publish=(PublishedPort(container=3005, host=admin.port, address=admin.address),)),
        after=after,
    )


def _look_after(place: _Place, audio: Volume, *, after: Sequence[Dependency]) -> None:
    """Health and logs."""
    system, settings = place.system, place.settings
    checks: list[AnyCheck] = [
        PortCheck(label="door", host="nginx", port=443),
        HttpCheck(label="app", url="http://app:3000/api/health"),
        HttpCheck(label="admin", url="http://admin:3005/admin/api/health"),
        SpeechCheck(
            label="speech",
            url="http://app:3000/api/tts",
            # The app keeps what it has spoken once: each look says something new.
            body={"text": "All is well at {time}."},
            sounds=_SERVED,
            timeout=settings.speech_timeout,
        ),
        FilesCheck(label="audio", path=_SERVED),
        ShareCheck(label="cpu", kind="cpu", critical=None),
        ShareCheck(label="memory", kind="memory"),
        DiskCheck(label="disk", path=_DATA),
    ]
    # One of a staging server no client accepts; its days are told by the health of what renews it.
    if not system.untrusted:
        checks.append(
            CertificateCheck(
                label="certificate",
                host="nginx",
                name=settings.nginx.hosts[0],
                authority=AUTHORITY_FILE if system.authority else None,
            )
        )
    database_authority = None
    if settings.postgres is None:
        checks.append(SqliteCheck(label="database", path=_SQLITE))
    else:
        database_authority = system.tls(POSTGRES_CERTIFICATE.name).authority
        checks.append(
            PostgresCheck(
                label="database",
                host="postgres",
                user=DATABASE,
                database=DATABASE,
                authority=DATABASE_AUTHORITY_FILE,
            )
        )
    if settings.redis:
        checks.append(PortCheck(label="cache", host="redis", port=6379))
    if isinstance(settings.texts, Cerebras):
        checks.append(ExternalCheck(label="cerebras", url=settings.texts.url))
    watch(
        system,
        settings.watch,
        checks,
        image=system.image("care", settings.care()),
        network=place.network,
        looks_at=[
            VolumeMount(volume=place.data.volume, target=_DATA, read_only=True),
            VolumeMount(volume=audio, target=_SERVED, read_only=True),
        ],
        user=_OWNER,
        authority=system.authority,
        database_authority=database_authority,
        after=after,
    )


def _stores(place: _Place) -> list[Dependency]:
    """PostgreSQL and Redis, where they are wanted."""
    system, settings = place.system, place.settings
    found: list[Dependency] = []
    if settings.postgres:
        found.append(
            postgres(
                system,
                settings.postgres,
                network=place.network,
                database=DATABASE,
                password=POSTGRES_PASSWORD,
                certificate=POSTGRES_CERTIFICATE,
            )
        )
    if settings.redis:
        found.append(redis(system, settings.redis, network=place.network, password=REDIS_PASSWORD))
    return found
