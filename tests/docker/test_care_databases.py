"""Databases in a backup: consistent while written, verified, put back under a running program."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container

from tests.docker.care import USER, Care, care, does, put
from tests.docker.taifish import certificate
from tests.docker.test_care_backup import client, snapshots  # noqa: F401
from tests.docker.workloads import image, until

pytestmark = pytest.mark.docker

WORD = 'a "word" with: \\ in it'
_SERVERS = {
    "postgres": (
        70, "/var/lib/postgresql/data", "/var/run/postgresql",
        ["postgres", "-c", "listen_addresses=*", "-c", "ssl=on",
         "-c", "ssl_cert_file=/tls/tls", "-c", "ssl_key_file=/tls/tls"],
    ),
    "mysql": (
        999, "/var/lib/mysql", "/var/run/mysqld",
        ["mysqld", "--ssl-cert=/tls/tls", "--ssl-key=/tls/tls", "--require-secure-transport=ON",
         "--innodb-buffer-pool-size=32M"],
    ),
}  # fmt: skip
# A writer that commits ten rows at once, again and again.
_WRITER = """
import sqlite3, time
db = sqlite3.connect("/data/files/app.db", isolation_level=None)
db.execute("PRAGMA journal_mode=WAL")
db.execute("CREATE TABLE IF NOT EXISTS rows(n INTEGER)")
while True:
    db.execute("BEGIN")
    for _ in range(10):
        db.execute("INSERT INTO rows SELECT count(*) FROM rows")
        time.sleep(0.01)
    db.execute("COMMIT")
"""
_COUNT = "import sqlite3; print(sqlite3.connect('/data/files/app.db', timeout=60).execute('SELECT count(*) FROM rows').fetchone()[0])"  # noqa: E501


@pytest.fixture
def editor(client: docker.DockerClient) -> Iterator[Care]:  # noqa: F811
    with care(client) as made:
        yield made


@pytest.fixture(params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest, editor: Care) -> Container:
    """A server with the database `things`, part of the backup."""
    kind = request.param
    uid, data, run, command = _SERVERS[kind]
    folder = editor.folder / kind
    folder.mkdir()
    authority, bundle = certificate(folder, kind)
    (folder / "tls").write_text(bundle)
    (folder / "word").write_text(WORD)
    for name in ("tls", "word"):
        shutil.chown(folder / name, uid, uid)
        (folder / name).chmod(0o400)
    (editor.config / f"{kind}.pem").write_text(authority)
    editor.secret(f"{kind}_password", WORD)
    user = "owner" if kind == "postgres" else "root"
    editor.settings["databases"] = [
        {"kind": kind, "host": kind, "port": 5432 if kind == "postgres" else 3306, "database": "things",
         "user": user, "password": f"{kind}_password", "authority": f"/etc/care/{kind}.pem"},
    ]  # fmt: skip
    env = {
        "postgres": {
            "POSTGRES_USER": "owner",
            "POSTGRES_DB": "things",
            "POSTGRES_PASSWORD_FILE": "/tls/word",
        },
        "mysql": {"MYSQL_DATABASE": "things", "MYSQL_ROOT_PASSWORD_FILE": "/tls/word"},
    }[kind]
    tmpfs = {"/tmp": "", run: f"uid={uid},gid={uid}", data: f"uid={uid},gid={uid},mode=700"}
    started = editor.serve(
        kind, command, image=image(editor.client, kind), environment=env, read_only=True, tmpfs=tmpfs,
        volumes={str(folder): {"bind": "/tls", "mode": "ro"}},
    )  # fmt: skip
    Path(folder).chmod(0o755)
    until(f"{kind} answers", lambda: _asks(started, kind, "SELECT 42", check=False) == "42" or None, 300)
    return started


def _asks(server: Container, kind: str, sql: str, *, check: bool = True) -> str:
    """Over the network: the server of a first start has none."""
    by = {
        "postgres": 'PGPASSWORD=$(cat /tls/word) psql -qAtX -h 127.0.0.1 -U owner things -c "$1"',
        "mysql": "MYSQL_PWD=$(cat /tls/word) mysql -N --ssl -h 127.0.0.1 -uroot "
        '--default-character-set=utf8mb4 things -e "$1"',
    }[kind]
    code, said = does(server, "sh", "-c", by, "sh", sql)
    assert code == 0 or not check, said
    return said.strip()


def test_a_server_s_database_comes_back(editor: Care, server: Container) -> None:
    kind = editor.settings["databases"][0]["kind"]
    box = editor.start()
    charset = "" if kind == "postgres" else " CHARACTER SET utf8mb4"
    _asks(server, kind, f"CREATE TABLE words(word varchar(40)){charset}")
    _asks(server, kind, "INSERT INTO words VALUES ('kept'), ('保存')")
    code, said = does(box, "care-backup", "now")
    assert code == 0, said
    _asks(server, kind, "DELETE FROM words; INSERT INTO words VALUES ('later')")
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 0, said
    assert _asks(server, kind, "SELECT word FROM words ORDER BY word") == "kept\n保存"
    code, said = does(box, "care-backup", "restore", str(snapshots(box)[-1]["id"]))
    assert code == 0, said
    assert _asks(server, kind, "SELECT word FROM words") == "later"
    assert WORD not in said
    # No dump stays in plain text.
    assert does(box, "sh", "-c", "ls /backup")[1].split() == [
        "cache",
        "lock",
        "owner",
        "repository",
        "state.json",
    ]

    server.stop(timeout=20)
    code, said = does(box, "care-backup", "now")
    assert code == 1 and f"database things on {kind}" in said, said
    assert len(snapshots(box)) == 3


@pytest.mark.parametrize("server", ["postgres"], indirect=True)
def test_postgresql_is_looked_at_without_a_password(editor: Care, server: Container) -> None:
    def checked(**changed: str) -> tuple[int, str]:
        check = {"label": "database", "kind": "postgres", "host": "postgres", "port": 5432, "user": "owner",
                 "database": "things", "authority": "/etc/care/postgres.pem", **changed}  # fmt: skip
        settings = {"every": 60, "log": "/tmp/health.log", "checks": [check]}
        (editor.config / "health.json").write_text(json.dumps(settings))
        code, said = does(box, "care-health", "once", "--json")
        return code, json.loads(said)["checks"]["database"]["text"]

    box = editor.start()
    before = server.logs()
    assert checked() == (0, "postgres:5432 takes connections")
    # It says nothing of it: what is looked at each minute must not fill a log with errors.
    assert server.logs() == before
    other, _ = certificate(editor.folder, "other")
    (editor.config / "other.pem").write_text(other)
    code, said = checked(authority="/etc/care/other.pem")
    assert code == 2 and "not with its certificate" in said
    server.stop(timeout=20)
    assert checked()[0] == 2


def test_a_snapshot_without_a_database_of_today_changes_nothing(editor: Care) -> None:
    box = editor.start()
    put(box, {"app.txt": b"of the days of SQLite"})
    assert does(box, "care-backup", "now")[0] == 0
    put(box, {"app.txt": b"of the days of PostgreSQL"})
    editor.settings["databases"] = [
        {"kind": "postgres", "host": "postgres", "port": 5432, "database": "things", "user": "owner",
         "password": "postgres_password", "authority": "/etc/care/postgres.pem"},
    ]  # fmt: skip
    editor.write()
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 1 and "has no dump of things on postgres" in said and "--list" in said, said
    assert does(box, "cat", "/data/files/app.txt") == (0, "of the days of PostgreSQL")
    assert len(snapshots(box)) == 1


def test_sqlite_is_consistent_while_it_is_written_and_restored_under_its_writer(editor: Care) -> None:
    box = editor.start()
    box.exec_run(["python3.11", "-c", _WRITER], detach=True)

    def count() -> int:
        return int(does(box, "python3.11", "-c", _COUNT)[1])

    until("rows", lambda: (does(box, "python3.11", "-c", _COUNT)[0] == 0 and count() >= 20) or None, 300)
    code, said = does(box, "care-backup", "now")
    assert code == 0, said
    at_backup = count()
    until("more rows", lambda: count() >= at_backup + 100 or None, 300)
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 0, said
    restored = count()
    # Whole transactions only, and the writer goes on in what was restored.
    assert restored % 10 == 0 and restored < at_backup + 100
    until("the writer goes on", lambda: count() > restored or None, 300)
    assert does(box, "ls", "/data/files")[1].split() == ["app.db", "app.db-shm", "app.db-wal"]


def test_a_damaged_sqlite_file_is_said_and_replaced(editor: Care) -> None:
    box = editor.start()
    make = "import sqlite3; d = sqlite3.connect('/data/files/app.db'); d.execute('CREATE TABLE rows(n)'); d.executemany('INSERT INTO rows VALUES (?)', ((n,) for n in range(9999))); d.commit()"  # noqa: E501
    assert does(box, "python3.11", "-c", make)[0] == 0
    assert does(box, "care-backup", "now")[0] == 0
    damage = "dd if=/dev/urandom of=/data/files/app.db bs=1024 seek=6 count=8 conv=notrunc status=none"
    assert does(box, "sh", "-c", damage)[0] == 0
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "SQLite database /data/files/app.db is damaged" in said, said
    assert len(snapshots(box)) == 1
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 0, said
    assert does(box, "python3.11", "-c", _COUNT) == (0, "9999\n")
    assert str(USER) in does(box, "stat", "-c", "%u", "/data/files/app.db")[1]
