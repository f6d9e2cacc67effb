"""What the celery system refuses by name, before or while it comes up; nothing of others is touched."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import docker
import pytest
import yaml

from tests.docker.workloads import image
from tests.engine.taifish import Taifish

pytestmark = [pytest.mark.engine, pytest.mark.docker, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def taifish(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Taifish]:
    """A stack that none of these tests lets come up."""
    made = Taifish(tmp_path_factory.mktemp("refused"))
    try:
        yield made
    finally:
        made.close()


def refused(taifish: Taifish) -> str:
    """All that a failing `up` says, on one line; the last of it are a cause and a fix."""
    done = taifish.deployment.berth("up", check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "error: " in done.stderr and "\n  fix: " in done.stderr[done.stderr.rindex("error: ") :]
    return " ".join((done.stdout + done.stderr).split())


def test_missing_keys_are_told_all_together(taifish: Taifish) -> None:
    file = taifish.deployment.folder / f"Pulumi.{taifish.deployment.stack}.yaml"
    kept = file.read_text()
    document = yaml.safe_load(kept)
    document["config"]["berth:generate_secrets"] = False
    file.write_text(yaml.safe_dump(document))
    said = refused(taifish)
    file.write_text(kept)
    for name in (
        "celery_postgres_password",
        "celery_postgres_certificate",
        "celery_redis_password",
        "celery_certificate",
    ):
        assert f"berth:secrets.{name}" in said
    assert taifish.deployment.objects(taifish.engine)["containers"] == []


def test_a_subnet_of_another_network_is_refused_by_its_name(taifish: Taifish) -> None:
    name = f"{taifish.deployment.stack}-foreign"
    pool = docker.types.IPAMPool(subnet=taifish.subnet)
    other = taifish.engine.networks.create(name, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    try:
        said = refused(taifish)
    finally:
        other.remove()
    assert f"the update will fail: network '{name}' is not of berth and has {taifish.subnet}" in said
    assert f"{taifish.subnet} overlaps {taifish.subnet} of network '{name}'" in said
    assert "fix: choose another subnet" in said


def test_a_folder_of_another_user_is_refused_by_name_and_stays(taifish: Taifish) -> None:
    folder = taifish.root / "data/app/exports"
    folder.mkdir(parents=True)
    (folder / "of-somebody").write_text("theirs")
    os.chown(folder, 1234, 1234)
    said = refused(taifish)
    assert f"{folder} belongs to 1234:1234, and is needed for 10001:10001" in said
    assert f"fix: name another root, or hand it over: chown -R 10001:10001 {folder}" in said
    assert (folder / "of-somebody").read_text() == "theirs" and folder.stat().st_uid == 1234
    assert not (taifish.root / "data/postgres").exists(), "refused before anything is made"
    assert taifish.containers("postgres") == []


def test_a_full_disk_is_refused_by_name(taifish: Taifish) -> None:
    taifish.configure({"data": {"minimum_free": "1048576GiB"}})
    said = refused(taifish)
    assert f"{taifish.root}: " in said and "MiB are free, 1048576GiB are needed" in said
    del taifish.settings["data"]["minimum_free"]


def test_a_disk_that_is_not_encrypted_is_refused_by_name(taifish: Taifish) -> None:
    kept = taifish.settings["data"]
    taifish.settings["data"] = {**kept, "kind": "encrypted"}
    taifish.configure()
    said = refused(taifish)
    taifish.settings["data"] = kept
    assert f"{taifish.root} lies on device" in said and "not encrypted (dm-crypt)" in said


def test_an_address_that_is_taken_is_refused_by_its_holder(taifish: Taifish) -> None:
    subprocess.run(["chown", "-R", "10001:10001", taifish.root / "data/app/exports"], check=True)
    taifish.configure()
    network = taifish.settings["network"]["name"]
    address = taifish.address(30)
    holder = taifish.engine.containers.create(
        image(taifish.engine, "redis"),
        ["sleep", "600"],
        name=f"{taifish.deployment.stack}-foreign",
        network=network,
        networking_config={network: taifish.engine.api.create_endpoint_config(ipv4_address=address)},
    )
    try:
        holder.start()
        said = refused(taifish)
    finally:
        holder.remove(force=True)
    assert f"container '{holder.name}' is not of berth and has the address {address}" in said
    assert f"its address {address} is taken by container '{holder.name}'" in said
    assert "fix: take that container off the network, or choose another address" in said
