"""What `up` does about an engine that was changed behind its back; what it refuses, and what it removes."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound

from ops import pending
from ops.engine import Engine
from ops.errors import UserError
from ops.pulumi import Pulumi
from ops.repair import Plan, plan

CONTAINER = "docker:index/container:Container"
NETWORK = "docker:index/network:Network"
VOLUME = "docker:index/volume:Volume"
LABELS = {"berth.stack": "dev", "berth.service": "app"}


class Fake:
    """A Docker engine with these objects; `done` is what was done to them."""

    def __init__(
        self,
        states: dict[str, dict[str, Any]] | None = None,
        volumes: dict[str, dict[str, str]] | None = None,
        networks: dict[str, dict[str, str]] | None = None,
        names: dict[str, dict[str, str]] | None = None,
    ) -> None:
        self.done: list[Any] = []
        self.states, self.names = states or {}, names or {}
        self.containers = SimpleNamespace(get=self._get, list=self._list)
        self.volumes = SimpleNamespace(list=lambda **_filters: self._objects(volumes))
        self.networks = SimpleNamespace(list=lambda **_filters: self._objects(networks))

    def close(self) -> None:
        self.done.append("closed")

    def _get(self, id: str) -> Any:
        if id not in self.states:
            raise NotFound("gone")
        return SimpleNamespace(
            attrs=self.states[id],
            unpause=lambda: self.done.append(("unpause", id)),
            stop=lambda: self.done.append(("stop", id)),
        )

    def _list(self, **_options: Any) -> list[Any]:
        return [
            SimpleNamespace(
                name=name,
                labels=labels,
                remove=lambda name=name, **options: self.done.append(("remove", name, options)),
            )
            for name, labels in self.names.items()
        ]

    @staticmethod
    def _objects(found: dict[str, dict[str, str]] | None) -> list[Any]:
        return [
            SimpleNamespace(name=name, id=f"{name}-id", attrs={"Labels": labels})
            for name, labels in (found or {}).items()
        ]


def engine(monkeypatch: pytest.MonkeyPatch, fake: Fake) -> Engine:
    monkeypatch.setattr(Engine, "client", lambda _engine: fake)
    return Engine(host="unix:///run/docker.sock", origin="the default socket")


def state(status: str, health: str = "healthy") -> dict[str, Any]:
    return {
        "State": {"Status": status, "StartedAt": "2026-01-02T03:04:05", "Health": {"Status": health}},
        "NetworkSettings": {"Networks": {"bridge": {}}},
    }


def exported(
    *containers: str, volumes: tuple[str, ...] = (), networks: tuple[str, ...] = ()
) -> dict[str, Any]:
    made = [
        {"type": CONTAINER, "urn": f"urn::{name}", "id": name, "outputs": {"name": name}}
        for name in containers
    ]
    kept = [{"type": VOLUME, "urn": f"urn::{name}", "id": name, "protect": True} for name in volumes]
    joined = [
        {"type": NETWORK, "urn": f"urn::{name}", "id": f"{name}-id", "outputs": {"name": name}}
        for name in networks
    ]
    return {"deployment": {"resources": [*joined, *made, *kept]}}


def test_a_well_engine_asks_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"web": state("running")}, volumes={"data": {}})
    assert plan("dev", exported("web", volumes=("data",)), engine(monkeypatch, fake)) == Plan()


def test_each_change_has_its_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    states = {
        "well": state("running"),
        "sick": state("running", "unhealthy"),
        "looping": state("restarting"),
        "halted": state("paused"),
    }
    docker = engine(monkeypatch, Fake(states))
    found = plan("dev", exported("well", "sick", "looping", "halted"), docker)
    assert found == Plan(flags=("--replace", "urn::looping", "--replace", "urn::sick"), paused=("halted",))
    assert plan("dev", exported("well", "gone", "sick"), docker).flags == (
        "--refresh",
        "--replace",
        "urn::sick",
    )


def test_a_lost_network_is_made_again_although_its_containers_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = exported("web", networks=("inner", "outer"))
    docker = engine(monkeypatch, Fake({"web": state("running")}, networks={"outer": {}}))
    assert plan("dev", found, docker) == Plan(flags=("--refresh",))
    assert "network inner (missing) is made again" in capsys.readouterr().err
    whole = engine(monkeypatch, Fake({"web": state("running")}, networks={"inner": {}, "outer": {}}))
    assert plan("dev", found, whole) == Plan()


def test_what_nobody_reaches_is_stopped_before_it_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edge without a network would be waited for in vain by the replicas that are replaced before it."""
    alone, halted = state("running"), state("paused")
    for made in (alone, halted):
        made |= {"NetworkSettings": {"Networks": {}}, "HostConfig": {"NetworkMode": "default"}}
    fake = Fake({"edge": alone, "app": halted, "web": state("running")})
    found = plan("dev", exported("app", "edge", "web"), engine(monkeypatch, fake))
    assert found.flags == ("--replace", "urn::app", "--replace", "urn::edge")
    assert (found.paused, found.cut_off) == (("app",), ("app", "edge"))
    fake.done.clear()
    Plan(paused=("app",), cut_off=("app",)).prepare(engine(monkeypatch, fake))
    assert fake.done == [("unpause", "app"), ("stop", "app"), "closed"]


def test_what_is_paused_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake({"web": state("paused")})
    Plan(paused=("web",)).prepare(engine(monkeypatch, fake))
    assert fake.done == [("unpause", "web"), "closed"]


def test_lost_data_is_refused_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    docker = engine(monkeypatch, Fake(volumes={"kept": {}}))
    with pytest.raises(UserError, match=r"no longer has: gone; nothing was changed") as error:
        plan("dev", exported(volumes=("gone", "kept")), docker)
    assert "docker volume create --driver local gone" in error.value.fix
    assert "--accept-data-loss gone" in error.value.fix and "kept" not in error.value.fix


def test_each_lost_volume_is_given_up_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    docker = engine(monkeypatch, Fake())
    with pytest.raises(UserError, match=r"no longer has: other;"):
        plan("dev", exported(volumes=("gone", "other")), docker, accepted=["gone"])
    found = plan("dev", exported(volumes=("gone", "other")), docker, accepted=["gone", "other"])
    assert found == Plan(flags=("--refresh",))


def test_a_volume_that_is_there_cannot_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    docker = engine(monkeypatch, Fake(volumes={"data": {}}))
    with pytest.raises(UserError, match=r"misses no data volume data \(missing: none\)"):
        plan("dev", exported(volumes=("data",)), docker, accepted=["data"])


def interrupted(*operations: tuple[str, str, str]) -> str:
    pairs = [{"label": label, "value": value} for label, value in LABELS.items()]
    return json.dumps(
        {
            "deployment": {
                "pending_operations": [
                    {
                        "type": operation,
                        "resource": {
                            "urn": f"urn::{name}",
                            "type": kind,
                            "inputs": {"name": name, "labels": pairs},
                        },
                    }
                    for operation, kind, name in operations
                ]
            }
        }
    )


def healed(monkeypatch: pytest.MonkeyPatch, fake: Fake, text: str) -> list[str]:
    """The arguments of the refresh that ends the healing."""
    calls: list[tuple[str, ...]] = []
    monkeypatch.setattr(Pulumi, "capture", lambda _pulumi, *args: calls.append(args) or "")
    pulumi = Pulumi(program="pulumi", environment={}, stack="dev")
    assert pending.heal(pulumi, engine(monkeypatch, fake), text) is bool(calls)
    return list(calls[0]) if calls else []


def test_a_half_made_container_goes_with_its_anonymous_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """They hold secrets."""
    fake = Fake(names={"web": LABELS, "web-2": LABELS})
    healed(monkeypatch, fake, interrupted(("creating", CONTAINER, "web")))
    assert fake.done == [("remove", "web", {"force": True, "v": True}), "closed"]


@pytest.mark.parametrize("operation", ["updating", "deleting", "reading"])
def test_only_what_was_being_created_is_removed(monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    fake = Fake(names={"web": LABELS})
    healed(monkeypatch, fake, interrupted((operation, CONTAINER, "web")))
    assert fake.done == ["closed"]


def test_the_container_of_another_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(names={"web": LABELS | {"berth.stack": "prod"}})
    healed(monkeypatch, fake, interrupted(("creating", CONTAINER, "web")))
    assert fake.done == ["closed"]


def test_networks_and_volumes_of_ours_are_taken_over(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Fake(volumes={"data": LABELS, "data-2": LABELS}, networks={"inner": {}})
    text = interrupted(("creating", VOLUME, "data"), ("creating", NETWORK, "inner"))
    pair = ["--import-pending-creates", "urn::data", "--import-pending-creates", "data-id"]
    assert healed(monkeypatch, fake, text) == [
        *("refresh", "--yes", "--skip-preview", "--clear-pending-creates"),
        *pair,
        *("--stack", "dev"),
    ]
    assert fake.done == ["closed"]


def test_nothing_interrupted_is_nothing_to_heal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert healed(monkeypatch, Fake(), interrupted()) == []


@pytest.mark.parametrize(
    ("code", "flags"), [(0, ()), (1, ("--replace", "urn::guard")), (137, ("--replace", "urn::guard"))]
)
def test_a_job_that_failed_runs_again(
    code: int, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = state("exited")
    ended["State"] |= {"ExitCode": code, "Health": None}
    job = {"name": "guard", "mustRun": False, "labels": [{"label": "berth.service", "value": "postgres"}]}
    found = {
        "deployment": {"resources": [{"type": CONTAINER, "urn": "urn::guard", "id": "guard", "outputs": job}]}
    }
    assert plan("dev", found, engine(monkeypatch, Fake({"guard": ended}))) == Plan(flags=flags)
    said = capsys.readouterr().err
    assert ("failed the last time: postgres" in said) == bool(flags) and "behind our back" not in said
