"""Backups: what the settings become, what the image reads of it, and what it says of a failure."""

from __future__ import annotations

import errno
import json
import os
from concurrent.futures import Future
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from care import backup, causes, repository, restore, sources, state, work
from care.settings import Settings, load
from care.trouble import Trouble
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from components.base import Identity
from components.care.backup import BackupSpec, service_spec
from components.care.targets import Target
from stacks.backup_settings import Snapshots

IDENTITY = Identity(stack="dev", system="cloud-api", service="backup")
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA"
S3 = {"kind": "s3", "endpoint": "http://minio:9000", "bucket": "acme", "path": "berth/editor"}
OSS = {"kind": "oss", "region": "cn-hangzhou", "bucket": "acme", "path": "berth/editor"}
SFTP = {"kind": "sftp", "host": "store", "port": 2222, "user": "app", "path": "/srv/b", "host_key": HOST_KEY}
DATABASE = {
    "kind": "mysql", "host": "mysql", "port": 3306, "database": "things", "user": "root",
    "password": "mysql_password", "authority": "/etc/care/mysql.pem",
}  # fmt: skip


@pytest.mark.parametrize("target", [None, S3, OSS, SFTP, {**S3, "authority": "-----BEGIN"}])
def test_the_image_reads_what_the_component_writes(tmp_path: Path, target: dict[str, Any] | None) -> None:
    spec = BackupSpec(identity=IDENTITY, off_site=target)
    made = service_spec(spec, ["uploads"], [(DATABASE, "authority")])
    texts = {file.name: file.text for file in made.config[0].files}
    (tmp_path / "backup.json").write_text(texts["backup.json"])
    read = load(str(tmp_path / "backup.json"))
    assert read.owner == "dev/cloud-api" and read.folders == ("/data/uploads",)
    assert [one.file for one in read.databases] == ["mysql-things.sql"] and texts["mysql.pem"] == "authority"
    assert (read.off_site is None) == (target is None)
    logins = {"s3": {"access_key", "secret_key"}, "oss": {"access_key", "secret_key"}, "sftp": {"sftp_key"}}
    wanted = {"repository_password", "mysql_password"} | (logins[target["kind"]] if target else set())
    assert {secret.name for secret in made.secrets} == wanted
    assert {env.name for env in made.env} == {"TZ"} and made.hardening.user == "10001:10001"
    assert made.hardening.add_capabilities == () and made.rollout.kind == "stop-first"
    if target is SFTP:
        assert texts["known_hosts"] == f"[store]:2222 {HOST_KEY}\n"
    if target is OSS and read.off_site:
        assert read.off_site.url == "s3:https://oss-cn-hangzhou.aliyuncs.com/acme/berth/editor"
        assert (read.off_site.lookup, read.off_site.host) == ("dns", "acme.oss-cn-hangzhou.aliyuncs.com")


@pytest.mark.parametrize(
    "wrong",
    [
        {**S3, "endpoint": "http://user:word@minio"},
        {**S3, "bucket": "Acme"},
        {**S3, "path": "/from/root"},
        {**SFTP, "host_key": "none"},
        {**SFTP, "path": "relative"},
        {**SFTP, "host": "-oProxyCommand=reboot"},
        {**OSS, "region": "hangzhou"},
        {"kind": "ftp"},
    ],
)
def test_a_target_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Target).validate_python(wrong)


def test_each_system_has_secrets_of_its_own() -> None:
    asked = [request.name for request in Snapshots(off_site=SFTP).secrets("cloud-api")]
    assert asked == ["cloud_api_backup_password", "cloud_api_backup_sftp_key"]


@given(st.integers(0, 23), st.integers(0, 59), st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))
def test_the_next_night_is_within_a_day(hour: int, minute: int, now: datetime) -> None:
    then = now + timedelta(seconds=backup.until_next(hour, minute, now))
    assert now < then <= now + timedelta(days=1) and (then.hour, then.minute, then.second) == (
        hour,
        minute,
        0,
    )


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("Fatal: wrong password or no key found", "its password is another one"),
        ("Fatal: write /backup/x: no space left on device", "it is full"),
        ("Save(<data/1>) returned error, retrying: 507 Insufficient Storage", "it is full"),
        ("client.PutObject: Access Denied.", "it does not accept the login"),
        ("Fatal: ciphertext verification failed", "it is damaged"),
        ("Fatal: repository contains errors", "it is damaged"),
        ("dial tcp 10.0.0.1:9000: connect: connection refused", "it cannot be reached"),
        ("subprocess ssh: Host key verification failed.", "the SSH server is not the one"),
        (
            "write: connection reset by peer\nPutObject: We encountered an internal error",
            "mostly because its disk is full",
        ),
        ("x509: certificate signed by unknown authority", "its certificate is not trusted"),
        ("The specified bucket does not exist", "the bucket does not exist"),
        ("a word that nobody knows", "a word that nobody knows"),
    ],
)
def test_a_failure_is_told_with_its_cause(said: str, cause: str) -> None:
    told = causes.trouble("the repository", f"{said}\nsome.go:75\n")
    assert cause in told.cause and told.fix


def test_only_what_cannot_get_better_is_not_tried_again() -> None:
    line = "Save(<data/1>) returned error, retrying after 1s: {}"
    assert causes.hopeless(line.format("no space left on device"))
    assert causes.hopeless(line.format("Access Denied."))
    assert not causes.hopeless(line.format("dial tcp: i/o timeout"))
    assert not causes.hopeless("no space left on device")


def _held(**folders: int) -> dict[str, Any]:
    return {
        "databases": [],
        "folders": {path: {"files": files, "bytes": 0} for path, files in folders.items()},
    }


def test_what_vanished_is_not_backed_up() -> None:
    sources.refuse_emptied(_held(a=1, b=0), None)
    sources.refuse_emptied(_held(a=1, b=0), _held(a=9, b=0, gone=3))
    with pytest.raises(Trouble, match="nothing to back up"):
        sources.refuse_emptied(_held(a=0), None)
    with pytest.raises(Trouble, match="b had 3 files"):
        sources.refuse_emptied(_held(a=1, b=0), _held(a=1, b=3))
    lost = {**_held(a=1), "databases": [{"database": "a/app.db"}]}
    with pytest.raises(Trouble, match=r"database a/app\.db was there"):
        sources.refuse_emptied(_held(a=1), lost)


def test_health_is_the_last_backup_and_the_last_copy(tmp_path: Path) -> None:
    settings = Settings(owner="dev/editor", home=tmp_path)
    assert state.complaint(settings, started=1000, now=2000) is None
    assert state.complaint(settings, started=1000, now=1001 + state.STALE) == "no backup for 26 hours"
    state.write(settings, at=2000.0)
    assert state.complaint(settings, started=0, now=2000 + state.STALE) is None
    # A restart is no backup.
    late = 2001 + state.STALE
    assert state.complaint(settings, started=late, now=late) == "no backup for 26 hours"
    state.write(settings, failed="why; fix: what")
    assert state.complaint(settings, started=0, now=2000) == "why; fix: what"
    state.write(settings, failed=None)
    assert "failed" not in json.loads((tmp_path / "state.json").read_text())


def test_a_full_disk_is_a_failure_that_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(owner="dev/editor", home=tmp_path / "home", tmp=tmp_path)
    settings.home.mkdir()
    state.write(settings, at=2000.0)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(work, "ensure", full)
    with monkeypatch.context() as disk:
        # Nothing can be written there, so not what went wrong either.
        write = Path.write_text
        disk.setattr(Path, "write_text", lambda path, text: (
            full() if path.parent == settings.home else write(path, text)
        ))  # fmt: skip
        with pytest.raises(Trouble, match="home: No space left on device; fix: make room"):
            work.back_up(settings)
    told = state.complaint(settings, started=0, now=2001)
    assert told and "No space left on device" in told
    assert state.read(settings)["at"] == 2000.0
    state.write(settings, failed=None)
    assert state.complaint(settings, started=0, now=2001) is None
    assert "failed" not in json.loads((settings.home / "state.json").read_text())


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (Trouble("postgres is down", fix="start it"), "postgres is down; nothing was changed"),
        (
            OSError(errno.EIO, "Input/output error", "/data/a"),
            "/data/a: Input/output error; nothing was changed",
        ),
    ],
)
def test_a_restore_says_that_nothing_was_changed(tmp_path: Path, error: Exception, cause: str) -> None:
    copying: Future[tuple[str, dict[str, Any]]] = Future()
    copying.set_exception(error)
    with pytest.raises(Trouble) as raised:
        restore._copied(copying, tmp_path)
    assert raised.value.cause == cause


def test_a_snapshot_that_is_not_whole_is_taken_back_alone(tmp_path: Path) -> None:
    settings: Any = SimpleNamespace(home=tmp_path, tmp=tmp_path, off_site=None)
    kept = tmp_path / "repository" / "snapshots"
    kept.mkdir(parents=True)
    for name, age in (("0a1b2c3dffff", 9), ("0a1b2c3deeee", 5), ("ffff", 1)):
        (kept / name).touch()
        os.utime(kept / name, (1000 - age, 1000 - age))
    repository.Repository(settings).drop("0a1b2c3d")
    assert sorted(path.name for path in kept.iterdir()) == ["0a1b2c3dffff", "ffff"]
    # One that restic could not even keep: why, it says itself.
    repository.Repository(settings).drop("77777777")
    assert len(list(kept.iterdir())) == 2


def test_room_is_asked_of_each_disk_for_all_that_goes_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {name: tmp_path / name for name in ("uploads", "logs", "home")}
    for place in places.values():
        place.mkdir()
    disks = {places["uploads"]: 1, places["logs"]: 1, places["home"]: 2}
    free = {1: 300 << 20, 2: 100 << 20}

    class Disk:
        def __init__(self, path: Path) -> None:
            self.st_dev, self.free = disks[path], free[disks[path]]

    monkeypatch.setattr(Path, "stat", lambda path, **_: Disk(path))
    monkeypatch.setattr(restore.shutil, "disk_usage", Disk)
    both = [(places["uploads"], 100 << 20), (places["logs"], 100 << 20)]
    assert restore.lacking(both) is None
    short = restore.lacking([*both, (places["logs"], 40 << 20)])
    assert short == restore.Short(places["logs"], 240 << 20, 300 << 20), "64 MiB stay free"
    assert restore.lacking([*both, (places["home"], 36 << 20)]) is None
    assert restore.lacking([*both, (places["home"], 37 << 20)]) is not None
