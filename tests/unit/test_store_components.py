"""Stores as the engine gets them: all children and inputs, as reviewed. URNs are a contract."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pulumi
import pytest
from syrupy.assertion import SnapshotAssertion

from components.base import Identity
from components.containers.directories import Directories, DirectoriesSpec, Directory, script
from components.containers.image import EngineImage, Image
from components.containers.network import ExistingNetwork
from components.containers.service import Completed
from components.stores.mysql import Mysql, MysqlReplica
from components.stores.mysql_settings import MysqlReplicaSpec, MysqlSpec
from components.stores.postgres import Postgres, PostgresReplica
from components.stores.postgres_settings import PostgresReplicaSpec, PostgresSpec
from components.stores.redis import Redis, RedisSpec
from components.stores.store import Tls
from tests.unit.program import Registration, register

SECRET = "a-word-that-must-not-show"
CA = "-----BEGIN CERTIFICATE-----\n"


def common(role: str) -> dict[str, Any]:
    identity = Identity(stack="dev", system="test", service=role)
    return {"identity": identity, "alias": role, "data": {"name": f"{role}-data"}, "address": None}


def parts(role: str) -> dict[str, Any]:
    return {"image": Image(f"{role}-image", EngineImage(kind="engine", name=f"{role}:1"))}


def program() -> None:
    network = ExistingNetwork("net")
    word = pulumi.Output.secret(SECRET)
    tls = Tls(certificate=pulumi.Output.secret(SECRET), authority=CA)
    postgres = Postgres(
        "postgres",
        PostgresSpec(**common("postgres"), user="owner", database="things"),
        network=network,
        password=word,
        tls=tls,
        **parts("postgres"),
    )
    PostgresReplica(
        "second",
        PostgresReplicaSpec(**common("second")),
        of=postgres,
        replication_password=word,
        **parts("second"),
    )
    mysql = Mysql(
        "mysql",
        MysqlSpec(**common("mysql"), user="owner", database="things"),
        network=network,
        root_password=word,
        password=word,
        tls=tls,
        **parts("mysql"),
    )
    MysqlReplica(
        "third",
        MysqlReplicaSpec(**common("third")),
        of=mysql,
        replication_password=word,
        **parts("third"),
    )
    made = Directories(
        "folders",
        DirectoriesSpec(
            identity=Identity(stack="dev", system="test", service="redis"),
            root="/opt/things",
            directories=(Directory(path="data/redis", owner="999:1000"),),
        ),
        network=network,
        **parts("folders"),
    )
    Redis(
        "redis",
        RedisSpec(**common("redis"), users=({"name": "reader", "rules": "+get"},)),
        network=network,
        password=word,
        users={"reader": word},
        after=[Completed(made.job)],
        **parts("redis"),
    )


@cache
def registrations() -> dict[str, Registration]:
    return {item.name: item for item in register(program)}


@pytest.mark.parametrize("root", ["postgres", "second", "mysql", "third", "redis", "folders"])
def test_store_is_as_reviewed(root: str, snapshot: SnapshotAssertion) -> None:
    found = [vars(item) for name, item in registrations().items() if name.split("-")[0] == root]
    text = json.dumps(found)
    assert SECRET not in text
    # The texts have a snapshot of their own.
    for item in found:
        for upload in item["inputs"].get("uploads") or ():
            if isinstance(upload, dict):
                upload["content"] = "..."
    assert found == snapshot


STORES = ["postgres", "second", "mysql", "third", "redis"]


@pytest.mark.parametrize("store", STORES)
def test_every_server_keeps_the_rules_of_the_house(store: str) -> None:
    name = f"{store}-server-1"
    server = registrations()[name]
    inputs = server.inputs
    assert inputs["readOnly"] and inputs["init"] and inputs["user"] in ("70:70", "999:999", "999:1000")
    assert inputs["capabilities"] == {"drops": ["ALL"]} and inputs["securityOpts"] == ["no-new-privileges"]
    assert inputs["memory"] == inputs["memorySwap"] > 0 and float(inputs["cpus"]) > 0
    assert inputs["restart"] == "unless-stopped" and inputs["wait"] and not inputs.get("ports")
    assert inputs["stopTimeout"] == 60 and server.options["delete_before_replace"]
    assert inputs["healthcheck"]["tests"] == ["CMD", "sh", "/etc/store/probe.sh"]
    guard = name.replace("server-1", "guard-run")
    assert guard in server.options["depends_on"]
    (data,) = [mount for mount in registrations()[guard].inputs["mounts"] if mount["type"] == "volume"]
    assert data["readOnly"]


@pytest.mark.parametrize("name", STORES)
def test_data_are_protected_and_retained(name: str) -> None:
    options = registrations()[f"{name}-data-local"].options
    assert options["protect"] and options["retain_on_delete"]


def test_a_job_that_refuses_keeps_the_servers_after_it_from_being_made() -> None:
    with pytest.raises(pulumi.RunError, match=r"job folders-make ended with status 1"):
        register(program, exit_code=1)


def test_a_replica_takes_as_many_connections_as_its_primary() -> None:
    def smaller() -> None:
        tls = Tls(certificate="", authority=CA)
        spec = PostgresSpec(**common("postgres"), user="owner", database="things")
        primary = Postgres(
            "postgres", spec, network=ExistingNetwork("net"), password="", tls=tls, **parts("postgres")
        )
        small = PostgresReplicaSpec(**common("second"), tuning={"max_connections": 50})
        PostgresReplica("second", small, of=primary, replication_password="", **parts("second"))

    with pytest.raises(ValueError, match=r"second: tuning\.max_connections is 50; allowed: 100 or more"):
        register(smaller)


@pytest.mark.parametrize("path", ["/data", "../data", "data/../other", "data//x", "", "a b"])
def test_a_directory_lies_below_the_root(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Directory(path=path, owner="1:1")


def test_directories_are_looked_at_before_any_is_made() -> None:
    identity = Identity(stack="dev", system="test", service="things")
    described = (Directory(path="a", owner="1:1"), Directory(path="b/c", owner="2:2"))
    text = script(DirectoriesSpec(identity=identity, root="/opt/x", directories=described))
    calls = [line for line in text.splitlines() if line.startswith(("look ", "make "))]
    assert calls == ["look a 1:1 750", "look b/c 2:2 750", "make a 1:1 750", "make b/c 2:2 750"]
