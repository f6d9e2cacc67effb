"""The rules for all systems in docs/systems.md, kept by every system that a stack file can choose."""

from __future__ import annotations

import re

import pytest
import yaml

from components.cloud.firewall import OperatorRange
from components.units import Address
from stacks.claims import PortClaim, closed_ports
from stacks.image_settings import THIRD_PARTY
from stacks.problems import SettingsError
from stacks.releases import releases
from stacks.settings import load, missing_secrets, with_systems
from stacks.systems import SYSTEMS
from tests.unit.composed import default, location, made, nginx
from tests.unit.systems import PROJECT, containers, keeps_the_rules, kept, labels, plain, published, services

PUBLIC = {
    "celery": {("0.0.0.0", 80), ("0.0.0.0", 443)},
    "cloud-api": {("0.0.0.0", 80), ("0.0.0.0", 443)},
    "gateway": {("0.0.0.0", 8010)},
    "gpu": {("0.0.0.0", 80), ("0.0.0.0", 443), ("127.0.0.1", 3005)},
}
METRICS = {
    "celery": {"app": 5000},
    "cloud-api": {"backend": 3000, "tts-proxy": 8051},
    "gateway": {"api-gateway": 9010, "douyin-processor": 8093},
    "gpu": {},
}
KEPT = {
    "celery": {"postgres_data", "redis_data", "app_logs", "app_uploads", "app_exports", "app_backups"},
    "cloud-api": {"mysql_data", "redis_data", "uploads", "temp", "logs"},
    "gateway": {"audio-data", "processor-data"},
    "gpu": {"app_data", "audio", "kokoro_models"},
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_public_are_80_443_and_8010_only(name: str) -> None:
    found = published([*default(name).values()])
    assert {(port["ip"], port["external"]) for ports in found.values() for port in ports} == PUBLIC[name]


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_container_keeps_the_rules(name: str) -> None:
    found = containers([*default(name).values()])
    assert len(services(found)) > 2
    for item in found:
        keeps_the_rules(item, system=name)


@pytest.mark.parametrize("name", SYSTEMS)
def test_root_is_an_exception_of_one_job(name: str) -> None:
    """It makes folders for the servers' users; components/containers/directories.py says why."""
    root = {item.name for item in containers([*default(name).values()]) if item.inputs["user"][:2] == "0:"}
    assert root == ({"celery-directories-make-run"} if name == "celery" else set())


@pytest.mark.parametrize("name", SYSTEMS)
def test_services_with_metrics_say_where(name: str) -> None:
    found = {}
    for item in services([*default(name).values()]):
        told = labels(item)
        if told.get("prometheus.io/scrape") == "true":
            assert told["prometheus.io/path"] == "/metrics"
            found[told["berth.service"]] = int(told["prometheus.io/port"])
    assert found == METRICS[name]


@pytest.mark.parametrize("name", ["celery", "cloud-api"])
def test_metrics_are_not_public(name: str) -> None:
    text = nginx(default(name), name)
    if name == "celery":
        assert "return 404" in location(text, "= /metrics")
    to_metrics = [
        path
        for path, body in re.findall(r"location (\S.*?) \{\n(.*?)\n {8}\}", text, re.DOTALL)
        if "proxy_pass http://backend" in body and "/metrics".startswith(path)
    ]
    assert to_metrics == []


@pytest.mark.parametrize("name", SYSTEMS)
def test_secrets_are_files_and_nothing_else(name: str) -> None:
    found = [*default(name).values()]
    plain(found)  # refuses a value that shows
    for item in containers(found):
        for line in item.inputs.get("envs", []):
            variable, _, value = line.partition("=")
            if re.search(r"PASSWORD|_KEY\b|SECRET|TOKEN", variable.removesuffix("_FILE")):
                assert variable.endswith("_FILE") and value.startswith("/run/secrets/"), line


@pytest.mark.parametrize("name", SYSTEMS)
def test_data_volumes_are_protected_and_retained(name: str) -> None:
    found = default(name)
    protected = {found[f"Volume {volume}"].inputs["name"] for volume in kept([*found.values()])}
    assert protected >= {f"{name}-dev-{volume}" for volume in KEPT[name]}
    mounted = {
        mount["source"]
        for item in services([*found.values()])
        for mount in item.inputs["mounts"]
        if mount["type"] == "volume" and not mount["readOnly"]
    }
    # What the edge and its services tell each other is no data.
    assert {source for source in mounted if not source.endswith("-0000000")} == protected


@pytest.mark.parametrize("name", SYSTEMS)
def test_registry_is_the_default_with_pinned_images(name: str) -> None:
    found = made(name, images={"tag": "1.2.3", "mirror": "registry.example/acme"})
    assert not [item for item in found.values() if item.type.endswith(":Image") and item.inputs]
    pulled = {item.inputs["name"] for item in found.values() if item.type.endswith(":RemoteImage")}
    assert pulled
    for reference in pulled:
        prefix, _, image = reference.rpartition("/")
        assert prefix == "registry.example/acme"
        # The trainer's has a flavour for each CUDA.
        assert re.search(r":1\.2\.3(-cu1(21|18))?$", image) or image in THIRD_PARTY.values(), image
        assert not image.endswith(":latest")


@pytest.mark.parametrize("name", SYSTEMS)
def test_local_images_are_named_by_their_content(name: str) -> None:
    built = [item for item in default(name).values() if item.type == "docker:index/image:Image"]
    assert built
    for item in built:
        assert re.fullmatch(r"berth/[a-z-]+:[0-9a-f]{12}", item.inputs["imageName"])


@pytest.mark.parametrize("name", SYSTEMS)
def test_what_is_pushed_is_what_is_pulled(name: str) -> None:
    """`push` runs no program: it knows the images from the settings."""
    images = {"tag": "1.2.3", "mirror": "registry.example/acme"}
    for settings in [{}, {"apis": {"kind": "stand-in"}}] if name == "cloud-api" else [{}]:
        found = made(name, settings, images=images)
        pulled = {item.inputs["name"] for item in found.values() if item.type.endswith(":RemoteImage")}
        others = {f"registry.example/acme/{image}" for image in THIRD_PARTY.values()}
        stack = with_systems({name: SYSTEMS[name].load_settings()}).model_validate(
            {"systems": [name], "images": images, name: settings}
        )
        assert [release.name for release in releases(stack, PROJECT)] == sorted(pulled - others)


INTERNAL = (3000, 3005, 5000, 5173, 8000, 8001, 8051, 8093, 3306, 5432, 6379, 22, 2375, 2376)


@pytest.mark.parametrize("port", INTERNAL)
def test_any_other_port_is_refused_but_on_loopback(port: int) -> None:
    def refused(address: str, *operators: str) -> bool:
        networks = [OperatorRange(operator) for operator in operators]
        return bool([*closed_ports([PortClaim("berth:web.port", Address(address), port)], networks)])

    assert refused("0.0.0.0") and refused("192.168.1.5") and refused("10.0.0.5")
    assert not refused("127.0.0.1")
    assert not refused("10.8.0.1", "203.0.113.0/24", "10.8.0.0/24")
    for address in ("0.0.0.0", "10.9.0.1", "203.0.113.5"):
        assert refused(address, "203.0.113.0/24", "10.8.0.0/24"), address


@pytest.mark.parametrize("name", SYSTEMS)
def test_no_secret_has_a_default(name: str) -> None:
    config = {"berth:systems": f'["{name}"]', "berth:images": '{"source": "local"}'}
    with pytest.raises(SettingsError) as error:
        load(config, stack="dev")
    asked = {request.config_path for request in missing_secrets(config)}
    assert {problem.path for problem in error.value.problems} == asked
    for file in PROJECT.glob("Pulumi.*.yaml"):
        for value in yaml.safe_load(file.read_text())["config"].get("berth:secrets", {}).values():
            assert value.keys() == {"secure"}, file
