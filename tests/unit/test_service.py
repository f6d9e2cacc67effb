"""Services and jobs: what cannot work cannot be written, and what is written reaches Docker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pydantic import ValidationError

from components.base import Identity
from components.containers.container import (
    ConfigFile,
    ConfigFiles,
    ContainerSpec,
    EnvVar,
    Hardening,
    Limits,
    SecretFile,
)
from components.containers.health import CommandProbe, HealthCheck, HttpProbe
from components.containers.image import EngineImage, Image
from components.containers.job import Job, JobSpec
from components.containers.mounts import Bind, Tmpfs
from components.containers.network import ExistingNetwork
from components.containers.service import (
    Completed,
    Healthy,
    PublishedPort,
    Service,
    ServiceSpec,
    Started,
    StartFirst,
    StopFirst,
)
from components.units import Address, Cpus, Duration, Memory
from tests.unit.program import SECRET, Registration, register

IDENTITY = Identity(stack="dev", system="test", service="app")
HEALTH = HealthCheck(probe=HttpProbe(port=8080))


def spec(**fields: Any) -> ServiceSpec:
    return ServiceSpec(**{"identity": IDENTITY, "alias": "app", "health": HEALTH, **fields})


def service(name: str = "app", fields: dict[str, Any] | None = None, **others: Any) -> Service:
    image = Image(f"{name}-image", EngineImage(kind="engine", name="app:1"))
    return Service(name, spec(**(fields or {})), image=image, network=ExistingNetwork("net"), **others)


def job(name: str = "migrate") -> Job:
    image = Image(f"{name}-image", EngineImage(kind="engine", name="app:1"))
    job_spec = JobSpec(identity=IDENTITY, alias=name, command=("migrate",))
    return Job(name, job_spec, image=image, network=ExistingNetwork("net"))


def made(program: Callable[[], object], **options: Any) -> dict[str, Registration]:
    return {item.name: item for item in register(program, **options)}


def inputs_of(**fields: Any) -> dict[str, Any]:
    """The inputs of the only container of a service with these fields."""
    return made(lambda: service(fields=fields))["app-1"].inputs


def test_start_first_starts_beside_the_old_one() -> None:
    found = made(lambda: service(fields={"rollout": StartFirst(replicas=2)}))
    for number in (1, 2):
        container = found[f"app-{number}"]
        assert container.options["delete_before_replace"] is False
        assert "name" not in container.inputs and "ports" not in container.inputs and container.inputs["wait"]
        assert container.inputs["networksAdvanced"] == [{"name": "net", "aliases": ["app"]}]
    assert found["app-2"].options["depends_on"] == ["app-1"]


def test_stop_first_gives_up_what_only_one_can_hold() -> None:
    rollout = StopFirst(publish=(PublishedPort(container=80, host=8010),), address=Address("172.20.0.10"))
    container = made(lambda: service(fields={"rollout": rollout}))["app-1"]
    assert container.options["delete_before_replace"] is True
    assert container.inputs["ports"] == [
        {"internal": 80, "external": 8010, "ip": "127.0.0.1", "protocol": "tcp"}
    ]
    assert container.inputs["networksAdvanced"][0]["ipv4Address"] == "172.20.0.10"


@pytest.mark.parametrize(
    "write",
    [
        lambda: StartFirst(publish=()),  # type: ignore[call-arg]
        lambda: StartFirst(address="172.20.0.10"),  # type: ignore[call-arg]
        lambda: StartFirst(replicas=0),
        lambda: StopFirst(replicas=2, publish=(PublishedPort(container=80, host=80),)),
        lambda: CommandProbe(kind="command", argv=()),
        lambda: CommandProbe(kind="command", argv=("check", "")),
        lambda: HttpProbe(port=0),
        lambda: HttpProbe(port=80, path="health"),
        lambda: EnvVar(name="DB_PASSWORD", value="x"),
        lambda: EnvVar(name="API_KEY", value="x"),
        lambda: EnvVar(name="1A", value="x"),
        lambda: EnvVar(name="A=B", value="x"),
        lambda: Bind(source="/var/run/docker.sock", target="/sock"),
        lambda: Bind(source="/run/../etc/", target="/etc"),
        lambda: Bind(source="/usr/local", target="/x", read_only=False),
        lambda: Bind(source="relative", target="/x"),
        lambda: ConfigFile(name="../escape", text=""),
        lambda: Limits(memory=Memory("64MiB"), reserved_memory=Memory("65MiB")),
        lambda: Hardening(add_capabilities=("NET_ADMIN",)),
        lambda: Hardening(privileged=True),  # type: ignore[call-arg]
        lambda: spec(env=(EnvVar(name="A", value="1"), EnvVar(name="A", value="2"))),
        lambda: spec(secrets=(SecretFile(name="a"), SecretFile(name="a"))),
        lambda: spec(tmpfs=(Tmpfs(target="/tmp"), Tmpfs(target="/tmp"))),
        lambda: spec(health=None),
        lambda: ContainerSpec(identity=IDENTITY, alias="Not A Name"),
    ],
)
def test_what_cannot_work_cannot_be_written(write: Callable[[], object]) -> None:
    with pytest.raises(ValidationError):
        write()


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        spec().limits.memory = Memory("1GiB")  # type: ignore[misc]


def test_every_field_reaches_docker() -> None:
    inputs = inputs_of(
        command=("serve", "--fast"),
        entrypoint=("/init",),
        working_dir="/srv",
        env=(EnvVar(name="B", value="2"), EnvVar(name="A", value="1")),
        tmpfs=(Tmpfs(target="/tmp", size=Memory("8MiB")),),
        binds=(Bind(source="/opt/app", target="/app"),),
        limits=Limits(
            cpus=Cpus("1.50"),
            memory=Memory("1GiB"),
            reserved_memory=Memory("512MiB"),
            shared_memory=Memory("128MiB"),
            open_files=4096,
        ),
        hardening=Hardening(
            user="101", read_only_root=False, add_capabilities=("CAP_NET_BIND_SERVICE",), init=False
        ),
        stop_grace=Duration("1500ms"),
    )
    expected = {
        "command": ["serve", "--fast"],
        "entrypoints": ["/init"],
        "workingDir": "/srv",
        "envs": ["A=1", "B=2"],
        "mounts": [
            {"type": "bind", "source": "/opt/app", "target": "/app", "readOnly": True},
            {"type": "tmpfs", "target": "/tmp", "tmpfsOptions": {"sizeBytes": 8 << 20, "mode": 0o1777}},
        ],
        "cpus": "1.5",
        "memory": 1024,
        "memorySwap": 1024,
        "memoryReservation": 512,
        "shmSize": 128,
        "ulimits": [{"name": "nofile", "soft": 4096, "hard": 4096}],
        "user": "101",
        "readOnly": False,
        "capabilities": {"adds": ["CAP_NET_BIND_SERVICE"], "drops": ["ALL"]},
        "init": False,
        "stopTimeout": 2,
        "destroyGraceSeconds": 2,
    }
    assert {key: inputs[key] for key in expected} == expected


def test_secrets_travel_as_files_and_never_in_the_environment() -> None:
    fields = {"secrets": (SecretFile(name="db", env="DB_PASSWORD_FILE"),)}
    found = made(lambda: service(fields=fields, secrets={"db": "hunter2-hunter2"}))
    assert found["app-1"].inputs["envs"] == ["DB_PASSWORD_FILE=/run/secrets/db"]
    assert found["app-1"].inputs["volumes"] == [{"fromContainer": "app-secrets-carrier-0000000:ro"}]
    assert found["app-secrets-carrier"].inputs["uploads"] == SECRET
    assert "hunter2" not in repr(found)


def test_a_carrier_is_as_narrow_as_a_service() -> None:
    found = made(lambda: service(fields={"secrets": (SecretFile(name="db"),)}, secrets={"db": "x"}))
    carrier, container = found["app-secrets-carrier"].inputs, found["app-1"].inputs
    for same in ("capabilities", "securityOpts", "user"):
        assert carrier[same] == container[same], same
    assert carrier["memory"] == carrier["memorySwap"] == 16
    assert carrier["cpus"] == "0.1"
    assert carrier["start"] is False and "healthcheck" not in carrier


@pytest.mark.parametrize("given", [{}, {"other": "x"}, {"db": "x", "other": "x"}])
def test_secrets_that_do_not_fit_the_spec_are_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"app: secrets \['db'\] described"):
        register(lambda: service(fields={"secrets": (SecretFile(name="db"),)}, secrets=given))


@pytest.mark.parametrize(("reload", "follows"), [("replace", True), ("in place", False)])
def test_new_files_replace_the_container_or_change_under_it(reload: Any, follows: bool) -> None:
    folder = ConfigFiles(target="/etc/app", files=(ConfigFile(name="a.yaml", text="a: 1"),), reload=reload)
    container = made(lambda: service(fields={"config": (folder,)}))["app-1"].inputs
    mounted = [mount for mount in container["mounts"] if mount["type"] == "volume"]
    if follows:
        assert container["volumes"] == [{"fromContainer": "app-config-carrier-0000000:ro"}] and not mounted
    else:
        source = "app-config-volume-0000000"
        assert mounted == [{"type": "volume", "source": source, "target": "/etc/app", "readOnly": True}]
        assert "volumes" not in container


def test_dependencies_are_waited_for() -> None:
    def program() -> None:
        first = service("first", {"wait_until": "started"})
        second = service("second", after=[Started(first), Completed(job())])
        service("third", after=[Healthy(second)])

    found = made(program)
    assert found["first-1"].inputs["wait"] is False
    assert found["second-1"].options["depends_on"] == ["first-1", "migrate-run"]
    assert found["third-1"].options["depends_on"] == ["second-1"]


def test_healthy_needs_a_service_that_is_waited_for() -> None:
    with pytest.raises(ValueError, match=r"allowed: Started"):
        register(lambda: Healthy(service("first", {"wait_until": "started"})))


def test_a_failed_job_stops_what_depends_on_it_and_shows_why() -> None:
    with pytest.raises(pulumi.RunError, match=r"(?s)job migrate ended with status 3.*the last line.*fix:"):
        register(lambda: service(after=[Completed(job())]), exit_code=3)


def test_transforms_reach_the_children() -> None:
    seen = []

    def remember(args: pulumi.ResourceTransformationArgs) -> None:
        seen.append(args.name)

    opts = pulumi.ResourceOptions(transformations=[remember])
    register(lambda: service(opts=opts))
    assert seen == ["app", "app-1"]
