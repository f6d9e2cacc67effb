"""The images of the stores by themselves: the contract of the official ones, what a first start leaves."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from tests.docker.once import said
from tests.docker.workloads import image, until

pytestmark = pytest.mark.docker

ENV = {
    "postgres": {"POSTGRES_PASSWORD": "a word", "POSTGRES_USER": "owner", "POSTGRES_DB": "things"},
    "mysql": {"MYSQL_ROOT_PASSWORD": "a word", "MYSQL_DATABASE": "things"},
}
DATA = {"postgres": "/var/lib/postgresql/data", "mysql": "/var/lib/mysql", "redis": "/data"}
ASK = {
    "postgres": "PGPASSWORD='a word' psql -qAtX -h 127.0.0.1 -U owner things -c 'SELECT 42'",
    "mysql": "mysql --no-defaults -h 127.0.0.1 -u root -p'a word' -N things -e 'SELECT 42'",
}


class Bench:
    """Containers of one image over one volume."""

    def __init__(self, client: docker.DockerClient, role: str) -> None:
        self.client, self.role, self.tag = client, role, image(client, role)
        self.volume = client.volumes.create(f"stores-image-{secrets.token_hex(3)}")
        self.made: list[Any] = []

    def start(self, env: dict[str, str] | None = None, **options: Any) -> Any:
        """A container over the volume, as narrow as a stack makes it."""
        container = self.client.containers.run(
            self.tag,
            detach=True,
            environment=ENV.get(self.role, {}) | (env or {}),
            volumes={self.volume.name: {"bind": DATA[self.role], "mode": "rw"}},
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            tmpfs={"/tmp": "mode=1777", "/var/run/postgresql": "mode=1777", "/var/run/mysqld": "mode=1777"},
            **options,
        )
        self.made.append(container)
        return container

    def serves(self, container: Any) -> None:
        """Waits until it answers a query over the network."""
        until("an answer", lambda: container.exec_run(["sh", "-c", ASK[self.role]]).output == b"42\n" or None)

    def close(self) -> None:
        for container in self.made:
            container.remove(force=True)
        self.volume.remove()


@pytest.fixture(params=["postgres", "mysql"])
def database(request: pytest.FixtureRequest) -> Iterator[Bench]:
    bench = Bench(docker.from_env(), request.param)
    yield bench
    bench.close()


@pytest.mark.parametrize(
    ("role", "user"), [("postgres", "70:70"), ("mysql", "999:999"), ("redis", "999:1000")]
)
def test_an_image_has_the_ids_of_the_official_one(role: str, user: str) -> None:
    client = docker.from_env()
    tag = image(client, role)
    script = f"stat -c %u:%g {DATA[role]}; id -u; id -g"
    told = said(client, tag, [script], entrypoint=["sh", "-c"])
    assert told.split() == [user, *user.split(":")]
    config = client.images.get(tag).attrs["Config"]
    assert config["User"] == user and not config.get("Volumes")
    assert config["StopSignal"] == ("SIGINT" if role == "postgres" else "SIGTERM")


def test_a_start_that_is_cut_off_begins_again(database: Bench) -> None:
    for delay in (0.3, 1.2, 2.5):
        container = database.start()
        container.exec_run(["sleep", str(delay)])
        container.kill()
    container = database.start()
    database.serves(container)
    container.stop(timeout=30)
    assert container.wait()["StatusCode"] == 0
    again = database.start()
    database.serves(again)
    assert b"making a new database" not in again.logs()


def test_an_interruption_between_files_begins_again(database: Bench) -> None:
    """The last moment: the files are being moved, and the one that says `made` is not yet there."""
    here = DATA[database.role]
    script = f"mkdir -p {here}/incoming {here}/base && touch {here}/.moving {here}/base/half"
    made = database.start(entrypoint=["sh", "-c"], command=[script])
    assert made.wait()["StatusCode"] == 0
    container = database.start()
    database.serves(container)
    assert container.exec_run(["ls", f"{here}/.moving", f"{here}/incoming"]).exit_code != 0


def test_files_of_somebody_else_are_refused(database: Bench) -> None:
    here = DATA[database.role]
    made = database.start(entrypoint=["sh", "-c"], command=[f"touch {here}/letter.txt"])
    assert made.wait()["StatusCode"] == 0
    container = database.start()
    assert container.wait()["StatusCode"] == 1
    assert f"{here}/letter.txt: neither a database nor empty" in container.logs().decode()


def test_variables_without_a_meaning_are_refused(database: Bench) -> None:
    name = {"postgres": "POSTGRES_HOST_AUTH_METHOD", "mysql": "MYSQL_RANDOM_ROOT_PASSWORD"}[database.role]
    container = database.start({name: "trust"})
    assert container.wait()["StatusCode"] == 1
    assert f"{name} is not known to this image" in container.logs().decode()


def test_a_new_database_needs_a_password(database: Bench) -> None:
    name = {"postgres": "POSTGRES_PASSWORD", "mysql": "MYSQL_ROOT_PASSWORD"}[database.role]
    container = database.start({name: ""})
    assert container.wait()["StatusCode"] == 1
    assert f"fix: set {name}_FILE" in container.logs().decode()


def test_the_server_of_the_first_start_listens_on_no_network(database: Bench) -> None:
    """A script of the first start tries the port of its own container."""
    ping = {
        "postgres": "pg_isready -q -h 127.0.0.1",
        "mysql": "mysqladmin --no-defaults -h 127.0.0.1 ping",
    }[database.role]
    ask = f"if {ping} >/dev/null 2>&1; then echo OPEN; else echo CLOSED; fi"
    made = database.client.containers.create(
        database.tag,
        environment=ENV[database.role],
        volumes={database.volume.name: {"bind": DATA[database.role], "mode": "rw"}},
    )
    database.made.append(made)
    made.put_archive("/docker-entrypoint-initdb.d", _tar("10-try.sh", ask.encode()))
    made.start()
    database.serves(made)
    assert "CLOSED" in made.logs().decode()


def _tar(name: str, data: bytes) -> bytes:
    import io
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o644
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()
