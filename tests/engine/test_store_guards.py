"""What a guard refuses, while the server that runs goes on."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.docker.workloads import until
from tests.engine.stores import StoreBench, mysql, psql

pytestmark = pytest.mark.engine


def refused(bench: StoreBench, role: str, *words: str) -> None:
    """The update fails with these words, and the server is the one that it was."""
    before = bench.container(role)
    said = bench.up(check=False)
    assert said.code, said.text
    for word in words:
        assert word in said.text
    after = bench.container(role)
    assert after.id == before.id and after.status == "running"


def test_postgres_data_of_another_version_are_refused(bench: StoreBench) -> None:
    bench.want("postgres")
    bench.up()
    assert bench.client_run("postgres", "echo 14 > /mnt/PG_VERSION", data=True) == (0, "")
    bench.want("postgres", tuning={"max_connections": 50})
    name = bench.volume("postgres")
    refused(
        bench,
        "postgres",
        f"{name}: the data are of PostgreSQL 14, the image is PostgreSQL 15",
        "fix: use an image of PostgreSQL 14, or move the data first",
    )
    assert bench.client_run("postgres", f"{psql()} 'SHOW max_connections'") == (0, "100\n")
    assert bench.client_run("postgres", "echo 15 > /mnt/PG_VERSION", data=True) == (0, "")
    (guard,) = [
        item["urn"] for item in bench.project.resources() if item["urn"].endswith("::postgres-guard-run")
    ]
    bench.up("--replace", guard)
    assert bench.client_run("postgres", f"{psql()} 'SHOW max_connections'") == (0, "50\n")


def test_another_password_of_postgres_is_refused(bench: StoreBench) -> None:
    bench.want("postgres")
    bench.up()
    kept = bench.wanted["secrets"]["password"]
    bench.secret("password", "another")
    refused(
        bench,
        "postgres",
        "the running server does not let 'owner' in",
        "password authentication failed",
        "fix: set the password back, or first change it in the server: ALTER ROLE owner",
    )
    bench.secret("password", kept)
    bench.up()
    bench.project.unchanged()


def test_another_password_than_that_of_the_data_is_refused_at_once(bench: StoreBench) -> None:
    """As after `destroy`, with secrets that are new: no server runs that a guard could ask."""
    bench.want("postgres")
    bench.up()
    assert bench.client_run("postgres", f"{psql()} 'CREATE TABLE kept AS SELECT 42 AS a'")[0] == 0
    kept = bench.wanted["secrets"]["password"]
    bench.down()
    bench.secret("password", "it's another: \\")
    began = time.monotonic()
    alone = bench.up(check=False)
    assert alone.code and time.monotonic() - began < 150, "no waiting for the deadline of 3m"
    name = bench.volume("postgres")
    assert f"{name}: the data were made with another password of 'owner'" in alone.text
    touch = f"touch $(docker volume inspect -f '{{{{.Mountpoint}}}}' {name})/take-password"
    assert "fix: set the password back, or keep the data and give them the new one" in alone.text
    assert touch in alone.text
    bench.secret("password", kept)
    bench.up()
    ask = f"{psql()} 'SELECT a FROM kept'"
    assert bench.client_run("postgres", ask) == (0, "42\n")
    bench.down()
    bench.secret("password", "it's another: \\")
    bench.client.containers.run(
        bench.images["postgres"],
        entrypoint=["touch", "/mnt/take-password"],
        user="0",
        volumes={name: {"bind": "/mnt", "mode": "rw"}},
        remove=True,
    )
    bench.up()
    assert bench.client_run("postgres", ask) == (0, "42\n")
    assert bench.client_run("postgres", "test ! -e /mnt/take-password", data=True)[0] == 0


def test_postgres_data_of_a_first_start_that_was_cut_off_are_refused(bench: StoreBench) -> None:
    """The official image takes them for whole; what is set here is what its scripts leave until their end."""
    bench.want("postgres")
    bench.up()
    server = bench.container("postgres")
    half = "ALTER ROLE postgres IN DATABASE things SET role = 'owner'"
    inside = ["psql", "-qX", "-U", "postgres", "-d", "postgres", "-v", "ON_ERROR_STOP=1", "-c", half]
    assert server.exec_run(inside).exit_code == 0
    assert server.exec_run(["rm", "/var/lib/postgresql/data/.berth-owner"]).exit_code == 0
    server.restart(timeout=30)
    name = bench.volume("postgres")
    said = f"{name}: the first start was cut off before its scripts had ended"
    until("the refusal", lambda: said in server.logs().decode() or None)
    assert "fix: the data are what those made until then: empty the directory" in server.logs().decode()


def test_another_root_password_of_mysql_is_refused(bench: StoreBench) -> None:
    bench.want("mysql", deadline="60s")
    bench.up()
    bench.secret("root_password", "another")
    refused(
        bench,
        "mysql",
        "the running server does not let root in: ERROR 1045",
        "fix: set the root_password back, or first change it in the server",
    )
    kept = bench.wanted["secrets"]["password"]
    bench.secret("root_password", "ro'ot\\-wo:rd")
    bench.secret("password", "another")
    refused(bench, "mysql", "does not let owner in: ERROR 1045", "fix: set the password back")
    bench.secret("password", kept)
    bench.secret("root_password", "another")
    bench.down()
    alone = bench.up(check=False)
    assert alone.code and "Access denied for user 'root'" in alone.text
    bench.secret("root_password", "ro'ot\\-wo:rd")
    bench.up()
    assert bench.client_run("mysql", f"{mysql()} -e 'SELECT 1'") == (0, "1\n")


@pytest.mark.parametrize("role", ["postgres", "mysql", "redis"])
def test_a_directory_of_another_user_is_refused(bench: StoreBench, tmp_path: Path, role: str) -> None:
    owner = {"postgres": 70, "mysql": 999, "redis": 999}[role]
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    # Docker hands an empty directory over by itself.
    (folder / "of-somebody").touch()
    for parent in (tmp_path, tmp_path.parent):
        parent.chmod(0o755)
    data = {"name": bench.volume(role), "storage": {"kind": "directory", "path": str(folder)}}
    bench.want(role, data=data)
    said = bench.up(check=False)
    assert said.code
    assert f"{data['name']}: the data belong to user 0, the server runs as user {owner}" in said.text
    assert f"fix: name another directory, or hand it over with chown -R {owner}:" in said.text
    (folder / "of-somebody").unlink()
    os.chown(folder, owner, owner)
    (guard,) = [
        item["urn"] for item in bench.project.resources() if item["urn"].endswith(f"::{role}-guard-run")
    ]
    bench.up("--replace", guard)
    assert list(folder.iterdir()), "the data lie in the directory"


def test_a_full_disk_is_refused(bench: StoreBench) -> None:
    bench.want("redis")
    bench.up()
    bench.want("redis", minimum_free="1048576GiB")
    refused(bench, "redis", "MiB are free for the data, 1048576GiB are needed", "fix: make room on that disk")


def test_directories_are_made_for_their_owners(bench: StoreBench, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for parent in (tmp_path, tmp_path.parent):
        parent.chmod(0o755)
    folder = root / "data/redis"
    bench.wanted["directories"] = {
        "root": str(root),
        "directories": [
            {"path": "data/redis", "owner": "999:1000"},
            {"path": "data/exports", "owner": "10001:10001"},
        ],
    }
    data = {"name": bench.volume("redis"), "storage": {"kind": "directory", "path": str(folder)}}
    bench.want("redis", data=data)
    bench.up()
    bench.project.unchanged()
    exports = (root / "data/exports").stat()
    assert (exports.st_uid, exports.st_gid, exports.st_mode & 0o777) == (10001, 10001, 0o750)
    assert folder.stat().st_uid == 999 and (folder / "appendonlydir").is_dir()
    (root / "data/exports/report").touch()
    os.chown(root / "data/exports", 1234, 1234)
    bench.wanted["directories"]["directories"].append({"path": "data/uploads", "owner": "10001:10001"})
    refused(
        bench,
        "redis",
        f"{root}/data/exports belongs to 1234:1234, and is needed for 10001:10001",
        f"fix: name another root, or hand it over: chown -R 10001:10001 {root}/data/exports",
    )
    assert not (root / "data/uploads").exists()


def test_a_disk_that_is_not_encrypted_is_refused_by_name(bench: StoreBench, tmp_path: Path) -> None:
    for parent in (tmp_path, tmp_path.parent):
        parent.chmod(0o755)
    folder = tmp_path / "disk"
    folder.mkdir()
    storage = {"kind": "encrypted", "path": str(folder)}
    bench.want("redis", data={"name": bench.volume("redis"), "storage": storage})
    said = bench.up(check=False)
    assert said.code
    assert f"{bench.volume('redis')}: the directory {folder} lies on device" in said.text
    assert "which is not encrypted (dm-crypt)" in said.text
