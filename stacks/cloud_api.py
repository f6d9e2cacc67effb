"""The cloud-api system (systems.md, 1): an audio editor that lets cloud services speak."""

from __future__ import annotations

import json
from dataclasses import dataclass

from components.base import Scrape
from components.containers.container import ConfigFile, ConfigFiles, Limits, SecretFile
from components.containers.handover import Handover, UpstreamSpec
from components.containers.image import Image
from components.containers.mounts import Bind, Tmpfs, VolumeMount
from components.containers.network import Network
from components.containers.service import Dependency, Healthy, Service, StartFirst
from components.edge.routes import Proxy, Route
from components.edge.sites import CSP, Site
from components.stores.store import AUTHORITY
from components.units import Duration, Memory
from stacks.assembly import Assembly
from stacks.cloud_api_settings import (
    COSYVOICE_KEY,
    GPT_SOVITS_KEY,
    MYSQL_CERTIFICATE,
    MYSQL_PASSWORD,
    MYSQL_REPLICATION_PASSWORD,
    MYSQL_ROOT_PASSWORD,
    REDIS_PASSWORD,
    CloudApiSettings,
    Clouds,
    StandIn,
)
from stacks.snapshots import snapshots
from stacks.stores import mysql, redis

_TLS = "/etc/backend/tls"
_VOICES = "/etc/tts-proxy"
_KEYS = {
    COSYVOICE_KEY: "COSYVOICE_CLOUD_API_KEY_FILE",
    GPT_SOVITS_KEY: "GPT_SOVITS_CLOUD_API_KEY_FILE",
}
_VITE = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)
_ASIDE = "http://tts-stand-in:8090"


@dataclass(frozen=True)
class _Place:
    """Where a part goes, and the edge's image, which hands it over."""

    system: Assembly
    settings: CloudApiSettings
    network: Network
    nginx: Image

    def upstream(self, name: str, port: int) -> Handover:
        """A replicated service behind the edge."""
        return self.system.upstream(
            UpstreamSpec(name=name, port=port, drain=self.settings.nginx.drain), nginx=self.nginx
        )


def compose(system: Assembly, settings: CloudApiSettings) -> dict[str, object]:
    """Stores, then speech, backend and page, and the door before them."""
    network = system.network(settings.network.name, settings.network.subnet)
    place = _Place(system, settings, network, system.image("nginx", settings.nginx.image))
    stores = _stores(place)
    speech = place.upstream("tts-proxy", 8001)
    backend = place.upstream("backend", 3000)
    page = place.upstream("frontend", 5173)
    after = [_speak(place, speech), _edit(place, backend, after=stores), _show(place, page)]
    hot_reload = settings.frontend.mode == "development"
    speaking = Duration(f"{settings.tts_proxy.timeout.whole_seconds + 5}s")
    upload = f"{settings.backend.max_upload.bytes // 2**20}m"
    system.door(
        settings.nginx,
        [
            Route(path="/", to=Proxy(upstream="frontend", websocket=hot_reload)),
            Route(path="/assets/", to=Proxy(upstream="frontend"), immutable=not hot_reload),
            Route(
                path="/api/",
                to=Proxy(upstream="backend", timeout=Duration("2m"), request_buffering=False),
                max_body=upload,
            ),
            Route(
                path="/ws",
                exact=True,
                to=Proxy(upstream="backend", websocket=True, timeout=Duration("1h")),
            ),
            Route(path="/health", exact=True, to=Proxy(upstream="backend")),
        ],
        nginx=place.nginx,
        network=network,
        upstreams=[speech, backend, page],
        # For the backend: replicas of tts-proxy come and go without a lost request, too.
        internal=[
            Site(
                name="tts-proxy",
                port=8001,
                routes=(Route(path="/", to=Proxy(upstream="tts-proxy", timeout=speaking, buffering=False)),),
                headers=(),
                tells_undelivered=True,
            )
        ],
        # Vite writes styles into the page, and waits for its server in a worker that it makes itself.
        headers={CSP: _VITE} if hot_reload else {},
        after=after,
    )
    snapshots(system, settings.snapshots, network=network, leave_out=("temp",), after=after)
    return system.finish(checks=["/", "/health"])


def _speak(place: _Place, handover: Handover) -> Dependency:
    """tts-proxy, and the stand-in of the clouds where it is wanted."""
    apis, proxy = place.settings.apis, place.settings.tts_proxy
    after: list[Dependency] = []
    match apis:
        case Clouds():
            given = {
                "COSYVOICE_CLOUD_API_URL": apis.cosyvoice,
                "GPT_SOVITS_CLOUD_API_URL": apis.gpt_sovits,
            }
            urls = {name: url for name, url in given.items() if url}
        case StandIn():
            urls = {
                "COSYVOICE_CLOUD_API_URL": f"{_ASIDE}/api/v1",
                "COSYVOICE_AUDIO_HOSTS": "tts-stand-in",
                "GPT_SOVITS_CLOUD_API_URL": f"{_ASIDE}/gpt-sovits/v1",
            }
            after.append(Healthy(_stand_in(place, apis)))
    config: list[ConfigFiles] = []
    if proxy.voices:
        voices = json.dumps(proxy.voices_file(), indent=2, ensure_ascii=False) + "\n"
        config.append(ConfigFiles(target=_VOICES, files=(ConfigFile(name="voices.json", text=voices),)))
        urls["VOICES_FILE"] = f"{_VOICES}/voices.json"
    milliseconds = str(int(proxy.timeout.seconds * 1000))
    return Healthy(
        place.system.service(
            "tts-proxy",
            8001,
            image=place.system.image("tts-proxy", proxy.image),
            network=place.network,
            command=("node", "src/main.js"),
            env=urls
            | {
                "PORT": "8001",
                "ADMIN_PORT": "8051",
                "TIMEOUT_MS": milliseconds,
                "MAX_TIMEOUT_MS": milliseconds,
                # Nobody is left to see that it drains: it has left the edge before.
                "DRAIN_MS": "0",
                "STOP_GRACE_MS": milliseconds,
            },
            config=config,
            secrets=_keys(place.settings),
            limits=Limits(cpus=proxy.cpus, memory=proxy.memory),
            rollout=StartFirst(replicas=proxy.replicas),
            scrape=Scrape(port=8051),
            stop_grace=Duration(f"{proxy.timeout.whole_seconds + 10}s"),
            after=after,
            handover=handover,
        )
    )


def _keys(settings: CloudApiSettings) -> list[SecretFile]:
    return [SecretFile(name=key.name, env=_KEYS[key]) for key in settings.api_keys()]


def _stand_in(place: _Place, apis: StandIn) -> Service:
    return place.system.service(
        "tts-stand-in",
        8090,
        image=place.system.image("tts-stand-in"),
        network=place.network,
        secrets=_keys(place.settings),
        limits=Limits(cpus=apis.cpus, memory=apis.memory),
    )


def _edit(place: _Place, handover: Handover, *, after: list[Dependency]) -> Dependency:
    """The backend: REST, WebSockets and the editing."""
    system, backend, mysql = place.system, place.settings.backend, place.settings.mysql
    authority = ConfigFile(name=AUTHORITY, text=system.tls(MYSQL_CERTIFICATE.name).authority)
    return Healthy(
        system.service(
            "backend",
            3000,
            image=system.image("backend", backend.image),
            network=place.network,
            command=("node", "src/main.js"),
            env={
                "NODE_ENV": place.settings.frontend.mode,
                "PORT": "3000",
                "MYSQL_HOST": "mysql",
                "MYSQL_DATABASE": mysql.database,
                "MYSQL_USER": mysql.user,
                "MYSQL_CA_FILE": f"{_TLS}/{AUTHORITY}",
                "REDIS_URL": "redis://redis:6379",
                "TTS_PROXY_URL": "http://nginx:8001",
                # All attempts of one speech: two that take their time, or more that are refused at once.
                "TTS_TIMEOUT": str(2 * place.settings.tts_proxy.timeout.whole_seconds),
                "UPLOAD_MAX_BYTES": str(backend.max_upload.bytes),
            },
            config=[ConfigFiles(target=_TLS, files=(authority,))],
            secrets=[
                SecretFile(name=MYSQL_PASSWORD.name, env="MYSQL_PASSWORD_FILE"),
                SecretFile(name=REDIS_PASSWORD.name, env="REDIS_PASSWORD_FILE"),
            ],
            volumes=[
                VolumeMount(volume=system.volume("backend", name, system.data(name)), target=f"/app/{name}")
                for name in ("uploads", "temp", "logs")
            ],
            limits=Limits(cpus=backend.cpus, memory=backend.memory),
            rollout=StartFirst(replicas=backend.replicas),
            scrape=Scrape(port=3000),
            name_timeout=Duration("1s"),
            stop_grace=Duration("30s"),
            after=after,
            handover=handover,
        )
    )


def _show(place: _Place, handover: Handover) -> Dependency:
    """The page: built and served as files, or by Vite with hot reload."""
    frontend, door = place.settings.frontend, place.settings.nginx
    development = frontend.mode == "development"
    command: tuple[str, ...] = ("node", "server/main.js")
    env: dict[str, str] = {}
    source = frontend.sources()
    if development:
        command = ("node", "node_modules/vite/bin/vite.js", "--configLoader", "runner")
        env = {
            "ALLOWED_HOSTS": ",".join(door.hosts),
            "HMR_CLIENT_PORT": str(door.https_port),
            "HMR_PROTOCOL": "wss",
        }
    return Healthy(
        place.system.service(
            "frontend",
            5173,
            image=place.system.image("frontend", frontend.image, target="dev" if development else None),
            network=place.network,
            command=command,
            env=env,
            binds=[Bind(source=source, target="/app/src")] if source else [],
            tmpfs=[Tmpfs(target="/tmp", size=Memory("128MiB"))],  # noqa: S108  (inside the container)
            limits=Limits(cpus=frontend.cpus, memory=frontend.memory),
            rollout=StartFirst(replicas=frontend.replicas),
            handover=handover,
        )
    )


def _stores(place: _Place) -> list[Dependency]:
    """MySQL, with its replica where one is wanted, and Redis."""
    system, settings, network = place.system, place.settings, place.network
    return [
        mysql(
            system,
            settings.mysql,
            network=network,
            root_password=MYSQL_ROOT_PASSWORD,
            password=MYSQL_PASSWORD,
            replication_password=MYSQL_REPLICATION_PASSWORD,
            certificate=MYSQL_CERTIFICATE,
        ),
        redis(system, settings.redis, network=network, password=REDIS_PASSWORD),
    ]
