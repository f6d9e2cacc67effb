"""Backups: taken, checked and restored by digest; whatever goes wrong is said and loses nothing."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

import docker
import pytest
from docker.models.containers import Container

from tests.docker.care import Care, care, digests, does, put
from tests.docker.workloads import until

pytestmark = pytest.mark.docker

FILES = {
    "a.wav": random.Random(1).randbytes(300_000),
    "ünï code [1]*.txt": "你好\n".encode(),
    "empty": b"",
}


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    found = docker.from_env(timeout=600)
    yield found
    found.close()


@pytest.fixture
def editor(client: docker.DockerClient) -> Iterator[Care]:
    with care(client) as made:
        yield made


def snapshots(container: object, *flags: str) -> list[dict[str, object]]:
    code, said = does(container, "care-backup", "list", *flags)  # type: ignore[arg-type]
    assert code == 0, said
    found: list[dict[str, object]] = json.loads(said)
    return found


def ten_days_ago(box: Container, *, megabytes: int) -> None:
    """A snapshot of then, of bytes that no other one has."""
    script = (
        f"cd /tmp && head -c {megabytes}M /dev/urandom > old; "
        "RESTIC_PASSWORD_FILE=/run/secrets/repository_password "
        "restic -q -r /backup/repository --cache-dir /backup/cache backup --host test/editor --tag daily "
        "--time \"$(date -d '10 days ago' '+%F %T')\" old; rm old"
    )
    code, said = does(box, "sh", "-ec", script)
    assert code == 0, said


def stored(box: Container) -> int:
    """MiB in the repository."""
    return int(does(box, "du", "-sm", "/backup/repository")[1].split()[0])


def test_what_was_backed_up_comes_back_byte_by_byte(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    assert (
        does(box, "sh", "-c", "mkdir -m 750 /data/files/sub && ln -s ../a.wav /data/files/sub/link")[0] == 0
    )
    before = digests(box)
    code, said = does(box, "care-backup", "now")
    assert code == 0, said
    assert does(box, "care-backup", "health") == (0, "")
    put(box, {"a.wav": b"ruined", "later.txt": b"not in the backup"})
    assert does(box, "rm", "-r", "/data/files/empty", "/data/files/sub")[0] == 0
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 0, said
    assert digests(box) == before
    assert does(box, "readlink", "/data/files/sub/link") == (0, "../a.wav\n")
    assert does(box, "stat", "-c", "%a", "/data/files/sub", "/data/files/a.wav") == (0, "750\n640\n")
    assert does(box, "ls", "-A", "/backup/staging", "/data/files/.berth-restore")[0] != 0

    # What it replaced is a snapshot, too.
    kept = snapshots(box)
    assert [one["tags"] for one in kept] == [["full"], ["before-restore"]]
    code, said = does(box, "care-backup", "restore", str(kept[1]["id"]))
    assert code == 0, said
    assert does(box, "cat", "/data/files/later.txt", "/data/files/a.wav") == (0, "not in the backupruined")


def test_a_backup_that_fails_is_loud_and_the_one_before_stays(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    good = snapshots(box)

    # Nothing is there any more: a lost volume must not become the newest backup.
    assert does(box, "sh", "-c", "rm -r /data/files/*")[0] == 0
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "/data/files had 3 files" in said and "--accept-empty" in said
    code, said = does(box, "care-backup", "health")
    assert code == 1 and "is gone" in said
    assert snapshots(box) == good

    # What may not be read is missing from a backup, so it is none.
    put(box, FILES)
    assert does(box, "chmod", "000", "/data/files/a.wav")[0] == 0
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "a.wav" in said and "must belong to the user" in said
    assert snapshots(box) == good
    assert does(box, "chmod", "640", "/data/files/a.wav")[0] == 0
    assert does(box, "care-backup", "now")[0] == 0
    assert does(box, "care-backup", "health") == (0, "")
    assert len(snapshots(box)) == 2


def test_an_empty_system_has_no_backup(editor: Care) -> None:
    box = editor.start()
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "there is nothing to back up in /data/files" in said
    assert snapshots(box) == []


def test_a_full_target_is_named_and_keeps_what_it_has(client: docker.DockerClient) -> None:
    with care(client, room="12m") as small:
        small.settings["minimum_free"] = 1 << 20
        box = small.start()
        put(box, FILES)
        assert does(box, "care-backup", "now")[0] == 0
        before = digests(box)
        put(box, {"big": random.Random(2).randbytes(20 << 20)})
        code, said = does(box, "care-backup", "now")
        assert code == 1 and "it is full" in said and "make room" in said, said
        assert len(snapshots(box)) == 1
        # Once there is room, also of the pieces that did not become one, the next is good.
        assert does(box, "rm", "/data/files/big")[0] == 0
        code, said = does(box, "care-backup", "now")
        assert code == 0, said
        assert does(box, "care-backup", "health") == (0, "")
        assert does(box, "rm", "/data/files/a.wav")[0] == 0
        small.settings["minimum_free"] = 1 << 30
        small.write()
        code, said = does(box, "care-backup", "now")
        assert code == 1 and "MiB are needed" in said
        # That is the room of backups: what is wanted back now comes back.
        code, said = does(box, "care-backup", "restore", "latest")
        assert code == 0, said
        assert digests(box) == before


def test_what_is_older_than_the_days_to_keep_goes_with_its_bytes(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    ten_days_ago(box, megabytes=10)
    code, said = does(box, "care-backup", "now", "--full")
    assert code == 0, said
    assert len(snapshots(box)) == 3 and stored(box) >= 10
    editor.settings["keep_days"] = 7
    editor.write()
    code, said = does(box, "care-backup", "now", "--full")
    assert code == 0, said
    assert len(snapshots(box)) == 3 and stored(box) < 10


def test_fewer_days_are_a_way_out_of_a_full_disk(client: docker.DockerClient) -> None:
    with care(client, room="64m") as small:
        small.settings["minimum_free"] = 50 << 20
        box = small.start()
        put(box, FILES)
        assert does(box, "care-backup", "now")[0] == 0
        ten_days_ago(box, megabytes=20)
        code, said = does(box, "care-backup", "now")
        assert code == 1 and "50 MiB are needed" in said and "keep fewer days" in said, said
        assert len(snapshots(box)) == 2
        small.settings["keep_days"] = 7
        small.write()
        code, said = does(box, "care-backup", "now")
        assert code == 0, said
        assert len(snapshots(box)) == 2 and stored(box) < 20
        assert does(box, "care-backup", "health") == (0, "")


def test_room_is_never_made_of_the_newest_backup(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    code, said = does(box, "care-backup", "now")
    assert code == 0, said
    ten_days_ago(box, megabytes=1)
    newest = str(snapshots(box)[-1]["id"])
    restic = "restic -q -r /backup/repository -p /run/secrets/repository_password --cache-dir /backup/cache"
    # Of an age that only the copy before a restore makes too old.
    assert does(box, "sh", "-c", f"{restic} tag --set before-restore {newest}")[0] == 0
    editor.settings.update(keep_days=7, minimum_free=1 << 60)
    editor.write()
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "MiB are needed" in said, said
    assert [one["tags"] for one in snapshots(box)] == [["daily"], ["before-restore"]]


def test_a_damaged_repository_is_found_and_changes_nothing(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    # As a disk would: a few bytes in each stored pack.
    damage = (
        "for f in /backup/repository/data/*/*; do chmod 600 $f; "
        "printf xxxxxxxx | dd of=$f bs=1 seek=100 conv=notrunc status=none; done; rm -rf /backup/cache"
    )
    assert does(box, "sh", "-c", damage)[0] == 0
    put(box, {"a.wav": b"changed since"})
    before = digests(box)
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 1 and "it is damaged" in said and "--off-site" in said, said
    assert digests(box) == before
    code, said = does(box, "care-backup", "now", "--full")
    assert code == 1 and "it is damaged" in said, said
    assert does(box, "care-backup", "health")[0] == 1


def test_latest_is_the_newest_backup_also_where_its_check_was_cut_off(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    known = does(box, "cat", "/backup/state.json")[1]
    put(box, {"a.wav": b"of the second day"})
    assert does(box, "care-backup", "now")[0] == 0
    # As it was before the second one came to its end.
    assert does(box, "sh", "-c", 'printf %s "$1" > /backup/state.json', "sh", known)[0] == 0
    put(box, {"a.wav": b"ruined"})
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 0, said
    assert does(box, "cat", "/data/files/a.wav") == (0, "of the second day")


def test_what_a_restore_cannot_keep_is_named_and_nothing_is_left_of_it(editor: Care) -> None:
    box = editor.start()
    # As much as makes the fetching outlast the copy.
    put(box, FILES | {"large": random.Random(3).randbytes(200 << 20)})
    assert does(box, "care-backup", "now")[0] == 0
    good, before = snapshots(box), digests(box)
    assert does(box, "chmod", "000", "/data/files/a.wav")[0] == 0
    code, said = does(box, "care-backup", "restore", "latest")
    assert code == 1 and "a.wav" in said and "must belong to the user" in said, said
    assert "nothing was changed" in said, said
    assert snapshots(box) == good
    assert does(box, "ls", "-A", "/backup/staging", "/data/files/.berth-restore")[0] != 0
    assert does(box, "chmod", "640", "/data/files/a.wav")[0] == 0
    assert digests(box) == before


def test_a_restore_that_has_no_room_for_both_copies_first(client: docker.DockerClient) -> None:
    with care(client, room="84m") as small:
        small.settings["minimum_free"] = 1 << 20
        box = small.start()
        put(box, {"large": random.Random(4).randbytes(8 << 20)})
        assert does(box, "care-backup", "now")[0] == 0
        before = digests(box)
        # 16 MiB for the copy and 64 to leave free are more than there are: it is made alone, and is only 8.
        put(box, {"other": random.Random(5).randbytes(8 << 20)})
        code, said = does(box, "care-backup", "restore", "latest")
        assert code == 0, said
        assert digests(box) == before


def test_the_backup_of_another_system_is_refused(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    editor.settings["owner"] = "test/other"
    editor.write()
    before = digests(box)
    for command in (["restore", "latest"], ["now"]):
        code, said = does(box, "care-backup", *command)
        assert code == 1 and "belongs to test/editor, this is test/other" in said, said
    assert does(box, "rm", "/backup/owner")[0] == 0
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "belongs to test/editor, this is test/other" in said, said
    assert digests(box) == before


def test_another_password_and_a_lost_repository_are_named(editor: Care) -> None:
    box = editor.start()
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    editor.secret("repository_password", "another one, that was made since")
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "its password is another one" in said
    # What a damaged disk may take: the packs are there still, and stay.
    assert does(box, "rm", "/backup/repository/config", "/backup/owner")[0] == 0
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "has lost its config, and still holds backups" in said
    assert does(box, "sh", "-c", "ls /backup/repository/snapshots/* /backup/repository/data/*/*")[0] == 0
    assert does(box, "sh", "-c", "rm -r /backup/repository && echo test/editor >/backup/owner")[0] == 0
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "is gone or lost its config; it was made before" in said


def test_it_backs_up_by_itself_and_ends_when_told(editor: Care) -> None:
    box = editor.start(["care-backup", "serve"])
    until("a failed first backup", lambda: b"BACKUP FAILED" in box.logs() or None, 300)
    assert does(box, "care-backup", "health")[0] == 1
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    box.restart(timeout=20)
    until("it runs again", lambda: does(box, "test", "-e", "/tmp/started")[0] == 0 or None, 300)
    assert does(box, "care-backup", "health") == (0, "")
    box.stop(timeout=20)
    assert box.wait()["StatusCode"] == 0
    assert "BACKUP FAILED: there is nothing to back up" in box.logs().decode()
