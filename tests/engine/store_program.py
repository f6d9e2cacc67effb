"""The program of a stack with the stores that `wanted.json` asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from components.base import Identity
from components.containers.directories import Directories, DirectoriesSpec
from components.containers.image import EngineImage, Image
from components.containers.network import Network, NetworkSpec
from components.containers.service import Completed
from components.stores.mysql import Mysql, MysqlReplica
from components.stores.mysql_settings import MysqlReplicaSpec, MysqlSpec
from components.stores.postgres import Postgres, PostgresReplica
from components.stores.postgres_settings import PostgresReplicaSpec, PostgresSpec
from components.stores.redis import Redis, RedisSpec
from components.stores.store import Tls


def build(wanted: Mapping[str, Any]) -> None:
    """Makes a network and the stores on it."""
    name = wanted["name"]
    given = {key: pulumi.Output.secret(value) for key, value in wanted["secrets"].items()}
    tls = Tls(certificate=pulumi.Output.secret(wanted["certificate"]), authority=wanted["authority"])

    def identity(role: str) -> Identity:
        return Identity(stack="dev", system=name, service=role)

    network = Network("net", NetworkSpec(name=name), identity=identity("network"))

    def parts(role: str) -> tuple[dict[str, Any], Image]:
        described = wanted["stores"][role]
        common = {"identity": identity(role), "alias": role, "data": {"name": f"{name}-{role}-data"}}
        image = Image(f"{role}-image", EngineImage(kind="engine", name=described["image"]))
        return {**common, **described["spec"]}, image

    stores = wanted["stores"]
    after = []
    if "directories" in wanted:
        image = Image("directories-image", EngineImage(kind="engine", name=stores["redis"]["image"]))
        described = DirectoriesSpec(**{"identity": identity("directories"), **wanted["directories"]})
        made = Directories("directories", described, image=image, network=network)
        after = [Completed(made.job)]
    if "redis" in stores:
        spec, image = parts("redis")
        passwords = {user["name"]: given[f"{user['name']}_password"] for user in spec.get("users", ())}
        Redis(
            "redis",
            RedisSpec(**spec),
            image=image,
            network=network,
            password=given["password"],
            users=passwords,
            after=after,
        )
    if "postgres" in stores:
        spec, image = parts("postgres")
        primary = PostgresSpec(**{"user": "owner", "database": "things", **spec})
        postgres = Postgres(
            "postgres", primary, image=image, network=network, password=given["password"], tls=tls
        )
        if "postgres-replica" in stores:
            spec, image = parts("postgres-replica")
            word = given["replication_password"]
            follower = PostgresReplicaSpec(**spec)
            PostgresReplica("postgres-replica", follower, image=image, of=postgres, replication_password=word)
    if "mysql" in stores:
        spec, image = parts("mysql")
        mysql = Mysql(
            "mysql",
            MysqlSpec(**{"user": "owner", "database": "my_things", **spec}),
            image=image,
            network=network,
            root_password=given["root_password"],
            password=given["password"],
            tls=tls,
        )
        if "mysql-replica" in stores:
            spec, image = parts("mysql-replica")
            word = given["replication_password"]
            MysqlReplica(
                "mysql-replica", MysqlReplicaSpec(**spec), image=image, of=mysql, replication_password=word
            )
