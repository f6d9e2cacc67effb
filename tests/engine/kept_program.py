"""The program of `KeptBench`: a system of a PostgreSQL and a MySQL server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pulumi

from components.containers.image import EngineImage, Image
from components.host import Host
from components.host_spec import LocalHost
from stacks.assembly import Assembly, Surroundings
from stacks.backup_settings import NightlyDump
from stacks.image_settings import ImagesSettings
from stacks.secrets import CertificateRequest, SecretRequest
from stacks.store_settings import MysqlService, PostgresService
from stacks.stores import mysql, postgres


def build(wanted: Mapping[str, Any]) -> None:
    """Makes the stores and exports them as a stack does."""
    around = Surroundings(
        images=ImagesSettings(), secrets=wanted["secrets"], host=Host("host", LocalHost()), project=Path()
    )
    system = Assembly(wanted["name"], around)
    system._images |= {
        role: Image(f"{role}-image", EngineImage(kind="engine", name=name), opts=system.child())
        for role, name in wanted["images"].items()
    }
    network = system.network(wanted["name"])
    certificate = CertificateRequest("certificate", "a certificate")

    def secret(name: str) -> SecretRequest:
        return SecretRequest(name, "a password")

    postgres(
        system,
        PostgresService(),
        network=network,
        database="things",
        password=secret("password"),
        certificate=certificate,
        backup=NightlyDump(**wanted["backup"]),
    )
    mysql(
        system,
        MysqlService(database="my_things", user="owner"),
        network=network,
        root_password=secret("root_password"),
        password=secret("password"),
        replication_password=secret("replication_password"),
        certificate=certificate,
    )
    pulumi.export("systems", {wanted["name"]: system.finish()})
