"""Backups of real servers: made, put back over changed data, and refused when they are broken."""

from __future__ import annotations

import gzip
import io
import json
import signal
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import docker
import pytest

from components.stores.postgres_owner import DATA
from tests.engine.kept import KeptBench
from tests.engine.workbench import wait_for

pytestmark = [pytest.mark.engine, pytest.mark.docker]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, store_images: dict[str, str]) -> Iterator[KeptBench]:
    images = {role: store_images[role] for role in ("postgres", "mysql")}
    made = KeptBench(tmp_path_factory.mktemp("kept"), docker.from_env(), images)
    try:
        made.ok("up")
        yield made
    finally:
        made.close()


def fill(bench: KeptBench, service: str) -> None:
    for query in (
        "DROP TABLE IF EXISTS made",
        "CREATE TABLE made (id int PRIMARY KEY, word varchar(40))",
        "INSERT INTO made VALUES (1, 'kept\nwhole'), (2, 'ünï')",
    ):
        bench.sql(service, query)


def words(bench: KeptBench, service: str) -> str:
    return bench.sql(service, "SELECT id, word FROM made ORDER BY id")


@pytest.mark.parametrize("service", ["postgres", "mysql"])
def test_what_was_backed_up_comes_back(bench: KeptBench, tmp_path: Path, service: str) -> None:
    fill(bench, service)
    if service == "postgres":
        # An extension is the superuser's; what uses it is the owner's.
        make = "psql -v ON_ERROR_STOP=1 -U postgres -d things -c 'SET ROLE NONE; CREATE EXTENSION pg_trgm'"
        assert bench.container(service).exec_run(["sh", "-c", make])[0] == 0
        bench.sql(service, "CREATE INDEX alike ON made USING gin (word gin_trgm_ops)")
    before = words(bench, service)
    (path,) = bench.ok("backup", service, "--to", str(tmp_path)).split()
    file = Path(path)
    assert file.parent == tmp_path and list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o777 == 0o600
    bench.sql(service, "DELETE FROM made WHERE id = 1")
    bench.sql(service, "UPDATE made SET word = 'changed'")
    assert "was not confirmed" in bench.fails("restore", service, path)
    assert words(bench, service) != before
    done = bench.run("restore", service, path, input="dev\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert words(bench, service) == before
    copies = list((Path(bench.environment["XDG_DATA_HOME"]) / "berth/backups/dev").iterdir())
    copy = next(found for found in copies if found.name.startswith(f"before-restore-{bench.name}-{service}-"))
    assert str(copy) in done.stderr
    bench.ok("restore", service, str(copy), "--yes")
    assert words(bench, service) == "2|changed".replace("|", "|" if service == "postgres" else "\t")
    shown = repr(bench.container(service).attrs) + bench.container(service).logs().decode()
    assert not any(secret in shown for secret in bench.wanted["secrets"].values())
    assert bench.container(service).exec_run(["sh", "-c", "ls -A /tmp | grep berth"])[0] == 1


@pytest.mark.parametrize("service", ["postgres", "mysql"])
def test_a_broken_file_changes_nothing(bench: KeptBench, tmp_path: Path, service: str) -> None:
    fill(bench, service)
    before = words(bench, service)
    good = Path(bench.ok("backup", service, "--to", str(tmp_path / "good")).strip())
    data = good.read_bytes()
    other = tmp_path / "other"
    for broken, why in {
        b"": "it is empty",
        b"SELECT 1;\n": "no dump",
        data[: len(data) * 2 // 3]: "is no whole dump",
        data[:-40] + b"x" * 20 + data[-20:]: "is no whole dump",
        gzip.compress(b""): "is no whole dump",
        gzip.compress(b"-- Current Database: `my_things`\nDROP TABLE made;\n"): "is no whole dump",
        gzip.compress(b"-- Current Database: `mysql`\n-- Dump completed on today\n"): "is no whole dump",
    }.items():
        other.write_bytes(broken)
        assert why in bench.fails("restore", service, str(other), "--yes")
    assert "cannot be read" in bench.fails("restore", service, str(tmp_path / "missing"), "--yes")
    assert words(bench, service) == before


def test_a_dump_that_the_server_refuses_halfway_is_taken_back(bench: KeptBench, tmp_path: Path) -> None:
    fill(bench, "mysql")
    before = words(bench, "mysql")
    good = Path(bench.ok("backup", "mysql", "--to", str(tmp_path)).strip())
    text = gzip.decompress(good.read_bytes())
    bad = tmp_path / "bad.sql.gz"
    bad.write_bytes(gzip.compress(text.replace(b"INSERT INTO", b"INSERT WRONGLY INTO")))
    said = bench.fails("restore", "mysql", str(bad), "--yes")
    assert "You have an error in your SQL syntax" in said and "mysql has what it had" in said
    assert words(bench, "mysql") == before


def test_a_database_too_damaged_to_be_copied_comes_back(bench: KeptBench, tmp_path: Path) -> None:
    """As docs/backups.md says."""
    fill(bench, "postgres")
    before = words(bench, "postgres")
    good = bench.ok("backup", "postgres", "--to", str(tmp_path)).strip()
    path = bench.sql("postgres", "SELECT pg_relation_filepath('made')")
    server = bench.container("postgres")
    server.restart()  # writes what is in memory
    wait_for(lambda: is_healthy(bench, "postgres"), what="PostgreSQL again")
    spoil = f'dd if=/dev/zero bs=100 count=80 | tr "\\0" x | dd of="$PGDATA/{path}" conv=notrunc'
    assert server.exec_run(["sh", "-c", spoil])[0] == 0
    refused = bench.fails("restore", "postgres", good, "--yes")
    assert "no copy can be made of what postgres has now, and nothing was changed" in refused
    assert "invalid page in block 0" in refused and "A database too damaged to be copied" in refused

    (volume,) = (mount["Name"] for mount in server.attrs["Mounts"] if mount["Destination"] == DATA)
    with (tmp_path / "damaged.tar").open("wb") as kept:
        kept.writelines(server.get_archive(DATA)[0])
    with tarfile.open(tmp_path / "damaged.tar") as found:
        assert f"data/{path}" in found.getnames()
    for container in bench.client.containers.list(all=True, filters={"volume": volume}):
        container.remove(force=True)
    bench.client.volumes.get(volume).remove()
    assert f"--accept-data-loss {volume}" in bench.fails("up")
    bench.ok("up", "--accept-data-loss", volume)
    bench.ok("restore", "postgres", good, "--yes")
    assert words(bench, "postgres") == before


def test_a_failed_dump_leaves_no_file(bench: KeptBench, tmp_path: Path) -> None:
    assert "redis is no store of this stack" in bench.fails("backup", "redis")
    server = bench.container("postgres")
    # Its socket is gone: the tools cannot get in.
    server.exec_run(["sh", "-c", "mv /var/run/postgresql/.s.PGSQL.5432 /var/run/postgresql/away"])
    try:
        assert "the dump failed" in bench.fails("backup", "postgres", "--to", str(tmp_path))
    finally:
        server.exec_run(["sh", "-c", "mv /var/run/postgresql/away /var/run/postgresql/.s.PGSQL.5432"])
    assert not list(tmp_path.iterdir())
    server.pause()
    try:
        assert "nothing can be run in container" in bench.fails("backup", "postgres", "--to", str(tmp_path))
    finally:
        server.unpause()


def test_the_nightly_dump_is_whole_and_its_failures_are_loud(bench: KeptBench, tmp_path: Path) -> None:
    fill(bench, "postgres")
    before = words(bench, "postgres")
    for ahead in (100, 240):  # a busy machine may be past the first hour before it is up
        soon = datetime.now(UTC) + timedelta(seconds=ahead)
        bench.write(backup={"time_zone": "UTC", "hour": soon.hour, "minute": soon.minute})
        bench.ok("up")
        if datetime.now(UTC) < soon.replace(second=0):
            break
    # It made one when it first came: there was none.
    first = dumps_of(bench)[0]
    two = wait_for(
        lambda: any(f"T{soon:%H%M}" in name for name in dumps_of(bench)) and dumps_of(bench),
        what="the dump of the hour",
        seconds=300,
    )
    newest = max(two)
    assert newest > first and f"T{soon:%H%M}" in newest
    # What it made, restore takes.
    data = tmp_path / newest
    archive, _ = bench.container("dump").get_archive(f"{DATA}/{newest}")
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as found:
        data.write_bytes(found.extractfile(newest).read())  # type: ignore[union-attr]
    bench.sql("postgres", "DROP TABLE made")
    bench.ok("restore", "postgres", str(data), "--yes")
    assert words(bench, "postgres") == before
    container = bench.container("dump")
    shown = repr(container.attrs) + container.logs().decode() + repr(container.top())
    assert not any(secret in shown for secret in bench.wanted["secrets"].values())
    # Nobody answers: it says so, and keeps what it has.
    bench.container("dump").exec_run(["sh", "-c", f"touch -d '2 days ago' {DATA}/*.dump"])
    server = bench.container("postgres")
    server.stop()
    try:
        container.restart(timeout=1)
        said = wait_for(
            lambda: "FAILED: no dump was made" in container.logs().decode() and container.logs().decode(),
            what="the failure",
        )
        assert "could not translate host name" in said or "Connection refused" in said
        code, why = container.exec_run(["sh", "/etc/dump/health.sh"])
        assert code == 1 and b"FAILED" in why
        assert dumps_of(bench) == two
    finally:
        server.start()
    # It tries again in a quarter of an hour, or at its start: those after this find all as it should be.
    wait_for(lambda: is_healthy(bench, "postgres"), what="PostgreSQL again")
    container.restart(timeout=1)
    wait_for(lambda: is_healthy(bench, "dump"), what="a dump again", seconds=120)


def is_healthy(bench: KeptBench, service: str) -> bool:
    return str(bench.container(service).attrs["State"]["Health"]["Status"]) == "healthy"


def dumps_of(bench: KeptBench) -> list[str]:
    """The files of the nightly dump, which has no half one among them."""
    names = bench.container("dump").exec_run(["ls", "-A", DATA])[1].decode().split()
    return sorted(name for name in names if name.endswith(".dump"))


def test_logs_are_told_by_service(bench: KeptBench) -> None:
    both = bench.ok("logs", "postgres", "mysql", "--tail", "3").splitlines()
    assert {line.partition(" | ")[0].strip() for line in both} == {"postgres", "mysql"} and len(both) == 6
    assert "database system is ready" in bench.ok("logs", "postgres", "--since", "1h")
    following = bench.start("logs", "-f", "postgres", "--tail", "1")
    assert following.stdout is not None and "postgres | " in following.stdout.readline()
    bench.container("postgres").exec_run(["sh", "-c", "echo 'said now' > /proc/1/fd/1"])
    assert "said now" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    assert "Traceback" not in following.communicate(timeout=30)[1] and following.returncode == 0
    assert "name one of: dump, mysql, postgres" in bench.fails("logs", "nginx")


def test_a_deployment_is_preceded_by_a_backup(bench: KeptBench) -> None:
    fill(bench, "postgres")
    made = json.loads(bench.ok("deploy", "update", "--json"))
    assert made["outcome"] == "deployed"
    files = [Path(path) for path in made["backups"]]
    assert len(files) == 2 and all(path.stat().st_size > 0 for path in files)
    before = words(bench, "postgres")
    bench.sql("postgres", "DELETE FROM made")
    bench.ok("restore", "postgres", next(str(path) for path in files if "postgres" in path.name), "--yes")
    assert words(bench, "postgres") == before
    again = json.loads(bench.ok("deploy", "update", "--force", "--no-backup", "--json"))
    assert again["outcome"] == "deployed" and again["backups"] == []
