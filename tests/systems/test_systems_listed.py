"""What docs/systems.md lists of each system, as it is unless a stack file says otherwise."""

from __future__ import annotations

import json

import pytest

from stacks.cloud_needs import doors
from stacks.gateway_settings import Unified
from stacks.problems import SettingsError
from tests.unit.composed import container, default, environment, files, location, made, nginx, waits_for
from tests.unit.systems import PROJECT, kept, labels, services

WORKLOADS = PROJECT / "workloads"


def test_node_is_18_and_python_3_11_as_debian_12_has_them() -> None:
    assert "bookworm" in (WORKLOADS / "base/build.sh").read_text()
    for role in ("frontend", "backend", "tts-proxy"):
        assert "install --no-install-recommends nodejs " in (WORKLOADS / role / "Dockerfile").read_text()
        engines = json.loads((WORKLOADS / role / "package.json").read_text())["engines"]
        assert engines["node"].startswith(">=18")
    assert "install --no-install-recommends python3.11 " in (WORKLOADS / "taifish/Dockerfile").read_text()


# 1 cloud-api


def test_the_editor_has_its_network_and_its_names() -> None:
    found = default("cloud-api")
    assert found["Network cloud-api-network-bridge"].inputs["name"] == "audio-editor-network"
    assert found["Network cloud-api-network-bridge"].inputs["driver"] == "bridge"
    aliases = {
        alias
        for item in services([*found.values()])
        for network in item.inputs["networksAdvanced"]
        for alias in network["aliases"]
    }
    assert aliases == {"nginx", "frontend", "backend", "tts-proxy", "mysql", "redis"}


@pytest.mark.parametrize("role", ["frontend", "backend", "tts-proxy"])
def test_the_editors_services_scale_behind_the_edge(role: str) -> None:
    found = made("cloud-api", {role.replace("-", "_"): {"replicas": 3}})
    assert {f"Container cloud-api-{role}-{number}" for number in (1, 2, 3)} <= {*found}
    text = nginx(found, "cloud-api")
    assert f"include upstreams/{role}.conf;" in text and f"proxy_pass http://{role};" in text


def test_the_editors_door_has_tls_websockets_and_cached_files() -> None:
    text = nginx(default("cloud-api"), "cloud-api")
    assert "listen 443 ssl" in text and "ssl_certificate tls/public.pem;" in text
    assert "return 301 https://$host$request_uri;" in text
    assert "proxy_set_header Upgrade $http_upgrade;" in location(text, "= /ws")
    assets = location(text, "/assets/")
    assert 'add_header Cache-Control "public, max-age=31536000, immutable";' in assets  # a year


def test_the_editors_settings_reach_the_backend() -> None:
    found = default("cloud-api")
    given = environment(found, "cloud-api-backend-1")
    assert given["NODE_ENV"] == "production" and given["PORT"] == "3000"
    assert given["REDIS_URL"] == "redis://redis:6379" and given["MYSQL_HOST"] == "mysql"
    assert given["MYSQL_CA_FILE"] == "/etc/backend/tls/ca.pem"
    server = environment(found, "cloud-api-mysql-server-1")
    assert given["MYSQL_DATABASE"] == server["MYSQL_DATABASE"] and given["MYSQL_USER"] == server["MYSQL_USER"]
    assert server["MYSQL_ROOT_PASSWORD_FILE"] and server["MYSQL_PASSWORD_FILE"]
    mounts = {mount["target"] for mount in container(found, "cloud-api-backend-1")["mounts"]}
    assert {"/app/uploads", "/app/temp", "/app/logs"} <= mounts


def test_the_clouds_addresses_and_keys_reach_the_proxy() -> None:
    given = environment(default("cloud-api"), "cloud-api-tts-proxy-1")
    assert given["COSYVOICE_CLOUD_API_URL"].startswith("https://dashscope.aliyuncs.com/")
    assert given["COSYVOICE_CLOUD_API_KEY_FILE"] == "/run/secrets/cosyvoice_api_key"
    assert (given["PORT"], given["ADMIN_PORT"]) == ("8001", "8051")
    url = "https://api.example.com/gpt-sovits/v1"
    voice = {"provider": "gpt-sovits", "id": "ann", "languages": ["en"], "ref_audio_path": "ann.wav"}
    settings = {
        "apis": {"gpt_sovits": url},
        "tts_proxy": {"voices": [{**voice, "prompt_lang": "en"}]},
    }
    both = environment(made("cloud-api", settings), "cloud-api-tts-proxy-1")
    assert both["GPT_SOVITS_CLOUD_API_URL"] == url
    assert both["GPT_SOVITS_CLOUD_API_KEY_FILE"] == "/run/secrets/gpt_sovits_api_key"


def test_the_page_is_built_or_reloads_itself() -> None:
    found = default("cloud-api")
    assert container(found, "cloud-api-frontend-1")["command"] == ["node", "server/main.js"]
    found = made("cloud-api", {"frontend": {"mode": "development"}})
    assert "node_modules/vite/bin/vite.js" in container(found, "cloud-api-frontend-1")["command"]
    assert found["Image cloud-api-frontend-image-built"].inputs["build"]["target"] == "dev"
    assert "proxy_set_header Upgrade" in location(nginx(found, "cloud-api"), "/")


def test_the_database_may_have_a_replica() -> None:
    assert "Container cloud-api-mysql-replica-server-1" not in default("cloud-api")
    found = made("cloud-api", {"mysql": {"replica": {}}})
    assert "cloud-api-mysql-server-1" in waits_for(found, "cloud-api-mysql-replica-server-1")
    assert "cloud-api-mysql-replica-data-local" in kept([*found.values()])
    settings = files(found, "cloud-api-mysql-server")["/etc/store/my.cnf"]
    assert "require_secure_transport = ON" in settings


def test_the_editor_starts_in_order() -> None:
    found = default("cloud-api")
    stores = {"cloud-api-mysql-server-1", "cloud-api-redis-server-1"}
    assert stores <= waits_for(found, "cloud-api-backend-1")
    behind = {f"cloud-api-{role}-1" for role in ("frontend", "backend", "tts-proxy")}
    assert stores | behind <= waits_for(found, "cloud-api-edge-nginx-1")


# 2 celery


def test_the_addresses_follow_the_subnet() -> None:
    found = made("celery", {"network": {"subnet": "10.9.0.0/24"}})
    (place,) = container(found, "celery-app-1")["networksAdvanced"]
    assert place["ipv4Address"] == "10.9.0.20"


def test_a_subnet_that_overlaps_is_refused() -> None:
    with pytest.raises(SettingsError) as error:
        made("celery", systems=["celery", "gateway"], gateway={"network": {"subnet": "172.20.1.0/24"}})
    assert "berth:gateway.network.subnet: 172.20.1.0/24: overlaps berth:celery.network.subnet" in str(
        error.value
    )


def test_app_workers_and_beat_are_of_one_image() -> None:
    found = [
        (labels(item)["berth.service"], item.inputs["image"], item.inputs.get("command"))
        for item in services([*default("celery").values()])
    ]
    image = container(default("celery"), "celery-app-1")["image"]
    ours = [(role, command) for role, used, command in found if used == image]
    assert sorted(ours) == [
        *[("app", ["taifish-app"])] * 3,
        ("beat", ["taifish-beat"]),
        *[("worker", ["taifish-worker"])] * 3,
    ]


def test_taifishs_door_balances_and_keeps_files_for_a_year() -> None:
    text = nginx(default("celery"), "celery")
    upstream = text.partition("upstream app {")[2].partition("}")[0]
    assert "include upstreams/app.conf;" in upstream and "keepalive 32;" in upstream
    static = location(text, "/static/")
    assert 'add_header Cache-Control "public, max-age=31536000, immutable";' in static  # a year


def test_postgres_and_redis_are_told_what_the_list_says() -> None:
    found = default("celery")
    told = files(found, "celery-postgres-server")["/etc/store/postgresql.conf"]
    for line in (
        "shared_buffers = 256MB",
        "work_mem = 4MB",
        "maintenance_work_mem = 64MB",
        "effective_cache_size = 1GB",
        "max_connections = 200",
    ):
        assert line in told.splitlines()
    told = files(found, "celery-redis-server")["/etc/store/redis.conf"]
    for line in (
        f"maxmemory {256 * 1024**2}",
        "maxmemory-policy allkeys-lru",
        "appendonly yes",
        "aclfile /run/secrets/users.acl",
    ):
        assert line in told.splitlines()


def test_config_files_are_mounted_read_only() -> None:
    found = default("celery")
    for role in ("celery-postgres-server", "celery-redis-server"):
        carried = container(found, f"{role}-1")["volumes"]
        assert {"fromContainer": f"{role}-config-carrier-0000000:ro"} in carried
    (config,) = [
        mount
        for mount in container(found, "celery-edge-nginx-1")["mounts"]
        if mount["target"] == "/etc/edge/config"
    ]
    assert config["readOnly"]


@pytest.mark.parametrize("kind", ["directory", "encrypted"])
def test_taifishs_data_lie_below_the_root(kind: str) -> None:
    found = made("celery", {"data": {"kind": kind, "root": "/srv/fish"}})
    devices = {
        item.inputs["driverOpts"]["device"]
        for item in found.values()
        if item.type.endswith(":Volume") and item.inputs.get("driverOpts", {}).get("o") == "bind"
    }
    parts = ("postgres", "redis", "app/logs", "app/uploads", "app/exports", "app/backups")
    assert devices >= {f"/srv/fish/data/{part}" for part in parts}
    guard = files(found, "celery-postgres-guard")["/etc/store/guard.sh"]
    assert ("not encrypted (dm-crypt)" in guard) is (kind == "encrypted")
    (script,) = container(found, "celery-directories-make-run")["command"]
    for folder in ("ssl", "logs", "backups", "data/app/exports"):
        assert f"make {folder} " in script
    assert "celery-directories-make-run" in waits_for(found, "celery-postgres-server-1")


def test_taifish_is_dumped_at_two_every_night() -> None:
    found = default("celery")
    script = files(found, "celery-dump")["/etc/dump/dump.sh"]
    assert 'until_next 2 0 "$(date +%H:%M:%S)"' in script and "pg_dump" in script
    assert environment(found, "celery-dump-1")["TZ"] == "Asia/Shanghai"
    volume = found["Volume celery-backups-local"].inputs
    assert volume["driverOpts"]["device"] == "/opt/taifish/backups"
    (mounted,) = [it for it in container(found, "celery-dump-1")["mounts"] if it["type"] == "volume"]
    assert mounted["source"] == volume["name"] and not mounted["readOnly"]


# 3 gateway


def test_the_gateway_has_its_network_and_its_ports() -> None:
    found = default("gateway")
    assert found["Network gateway-network-bridge"].inputs["name"] == "api-gateway_api-network"
    probes = {
        labels(item)["berth.service"]: item.inputs["healthcheck"]["tests"][-1]
        for item in services([*found.values()])
    }
    assert probes == {
        "api-gateway": "http://127.0.0.1:8010/health",
        "douyin-processor": "http://127.0.0.1:8093/health",
        "file-system-go": "http://127.0.0.1:8000/health",
    }
    on_a_cloud_machine = doors([Unified()])
    assert (on_a_cloud_machine.public, on_a_cloud_machine.intranet) == ((8010,), (8000, 8093))
