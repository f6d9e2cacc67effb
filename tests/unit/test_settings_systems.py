"""The relations of celery and cloud-api: each names its setting, and all are told in one report."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.certificates import Authority
from tests.unit.mistakes import Mistake, Mistakes, report, wrong

_CELERY, _CLOUD = "berth:celery", "berth:cloud-api"
_PASSWORD = "a-password-that-must-not-show"
_BUNDLE = Authority.new("tests").issue(["localhost", "postgres", "mysql", "mysql-replica"])
RIGHT: dict[str, Any] = {
    "berth:systems": ["celery", "cloud-api"],
    "berth:images": {"source": "local"},
    _CELERY: {"nginx": {"http_port": 80, "https_port": 443}},
    _CLOUD: {
        "apis": {"kind": "stand-in"},
        "nginx": {"address": "127.0.0.1", "http_port": 8081, "https_port": 8443},
        "network": {"subnet": "172.21.0.0/16"},
        "mysql": {"replica": {}},
    },
    "berth:secrets": {
        name: _BUNDLE if name.endswith("certificate") else _PASSWORD
        for name in (
            *("celery_certificate", "celery_postgres_certificate"),
            *("celery_postgres_password", "celery_redis_password"),
            *("cloud_api_certificate", "cloud_api_mysql_certificate", "cloud_api_mysql_password"),
            *("cloud_api_mysql_replication_password", "cloud_api_mysql_root_password"),
            *("cloud_api_redis_password", "cosyvoice_api_key", "gpt_sovits_api_key"),
        )
    },
}
RIGHT[_CELERY]["nginx"]["address"] = "127.0.0.1"
# Place to what is said there. The last key of a default is not in the file: its mapping is named.
SAID: dict[str, tuple[Mistake, str, str]] = {
    "address outside the subnet": (
        wrong(_CELERY, "network", "redis", value="10.0.0.1"),
        "berth:celery.network.redis: '10.0.0.1'",
        "allowed: an address of 172.20.0.0/17, from number 2 on",
    ),
    "address of the half that is handed out": (
        wrong(_CELERY, "network", "nginx", value="172.20.128.9"),
        "berth:celery.network.nginx: '172.20.128.9'",
        "the other half of 172.20.0.0/16 is handed out by the engine",
    ),
    "address given twice": (
        wrong(_CELERY, "network", "postgres", value="172.20.0.20"),
        "berth:celery.network.postgres: '172.20.0.20'",
        "postgres: 172.20.0.20 is the address of app; allowed: another one",
    ),
    "subnet of another system": (
        wrong(_CLOUD, "network", "subnet", value="172.20.64.0/24"),
        "berth:cloud-api.network.subnet",
        "overlaps",
    ),
    "network of another system": (
        wrong(_CLOUD, "network", "name", value="taifish_network"),
        "berth:cloud-api.network.name: 'taifish_network'",
        "taken by berth:celery.network.name; allowed: a name of its own",
    ),
    "more cores reserved than there are": (
        wrong(_CELERY, "app", "cpus", value=0.5),
        "berth:celery.app",
        "reserved_cpus 1 is more than cpus; allowed: 0.5",
    ),
    "more memory reserved than there is": (
        wrong(_CELERY, "app", "reserved_memory", value="3GiB"),
        "berth:celery.app.reserved_memory: '3GiB'",
        "reserved_memory 3GiB is more than memory; allowed: 2GiB",
    ),
    "memory too small for PostgreSQL": (
        wrong(_CELERY, "postgres", "memory", value="512MiB"),
        "berth:celery.postgres",
        "need 920MiB; allowed: limits.memory, which is 512MiB",
    ),
    "memory too small for Redis": (
        wrong(_CELERY, "redis", "maxmemory", value="480MiB"),
        "berth:celery.redis.maxmemory: '480MiB'",
        "allowed: limits.memory, which is 512MiB",
    ),
    "the root of the host": (
        wrong(_CELERY, "data", value={"root": "/etc/taifish"}),
        "berth:celery.data.root: '/etc/taifish'",
        "allowed: a folder of its own",
    ),
    "replicas that reload": (
        wrong(_CLOUD, "frontend", value={"mode": "development", "replicas": 2}),
        "berth:cloud-api.frontend.replicas: 2",
        "allowed: 1, each would reload on its own",
    ),
    "the server's own user": (
        wrong(_CLOUD, "mysql", "user", value="root"),
        "berth:cloud-api.mysql.user: 'root'",
        "it is the server's own; allowed: another name",
    ),
    "a small replica": (
        wrong(_CLOUD, "mysql", "replica", value={"memory": "512MiB"}),
        "berth:cloud-api.mysql.replica",
        "allowed: limits.memory, which is 512MiB",
    ),
    "a unit": (wrong(_CELERY, "worker", "memory", value="512"), "berth:celery.worker.memory: '512'", "MiB"),
    "a check every month": (
        wrong(_CELERY, "app", "health_interval", value="1000h"),
        "berth:celery.app.health_interval: '1000h'",
        "allowed: from 1s to 10m",
    ),
    "no time to stop": (
        wrong(_CELERY, "worker", "stop_grace", value="0s"),
        "berth:celery.worker.stop_grace: '0s'",
        "allowed: from 1s to 1h",
    ),
    "a name that is none": (
        wrong(_CLOUD, "nginx", "hosts", value=["a b"]),
        "berth:cloud-api.nginx.hosts[0]: 'a b'",
        "allowed: a host name, like audio.example.com",
    ),
    "a short secret": (
        wrong("berth:secrets", "celery_redis_password", value="short"),
        "berth:secrets.celery_redis_password",
        "allowed: at least",
    ),
}
SYSTEMS = Mistakes(RIGHT, {name: mistake for name, (mistake, _, _) in SAID.items()})


def test_the_right_one_has_no_problem() -> None:
    assert report(RIGHT) == set()


@pytest.mark.parametrize("name", SAID)
def test_each_mistake_names_its_setting_and_what_is_allowed(name: str) -> None:
    (line,) = SYSTEMS.alone[name]
    _, place, said = SAID[name]
    assert line.startswith(f"{place}: ") and said in line


@given(st.sets(st.sampled_from(sorted(SAID))))
def test_mistakes_together_are_all_told_and_nothing_else(names: set[str]) -> None:
    assert report(SYSTEMS.changed(names)) == SYSTEMS.union(names)


def test_all_mistakes_at_once() -> None:
    assert report(SYSTEMS.changed(SAID)) == SYSTEMS.union(SAID)


def test_missing_secrets_are_all_told_at_once() -> None:
    lines = report({key: value for key, value in RIGHT.items() if key != "berth:secrets"})
    assert {line.split(": ")[0].removeprefix("berth:secrets.") for line in lines} == set(
        RIGHT["berth:secrets"]
    )


def test_a_subnet_without_room_names_every_address() -> None:
    stack = SYSTEMS.changed([])
    wrong(_CELERY, "network", "subnet", value="172.30.0.0/29")(stack)
    assert report(stack) == {
        f"berth:celery.network: {role}: 172.30.0.0/29 has no fixed address {number}; allowed: 2 to 3, or a "
        "larger network"
        for role, number in {"nginx": 10, "app": 20, "postgres": 30, "redis": 40}.items()
    }


def test_no_cloud_at_all_is_refused() -> None:
    stack = SYSTEMS.changed([])
    stack[_CLOUD]["apis"] = {"kind": "cloud", "cosyvoice": None, "gpt_sovits": None}
    said = "neither cosyvoice nor gpt_sovits is set; allowed: the address of one, or of both"
    assert f"berth:cloud-api.apis.gpt_sovits: null: {said}" in report(stack)


def test_what_is_wrong_is_not_compared() -> None:
    """No address is judged by a subnet that is wrong, no reservation by a memory that is."""
    stack = SYSTEMS.changed(["more memory reserved than there is", "address outside the subnet"])
    wrong(_CELERY, "network", "subnet", value="10.0.0.0")(stack)
    wrong(_CELERY, "app", "memory", value="2")(stack)
    assert sorted(line.split(": ")[0] for line in report(stack)) == [
        "berth:celery.app.memory",
        "berth:celery.network.subnet",
    ]
