"""The off-site copy: on an S3 server and over SFTP; a host that lost everything comes back from it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import docker
import pytest

from tests.docker.care import Care, care, digests, does, put
from tests.docker.test_care_backup import FILES, client, snapshots, ten_days_ago  # noqa: F401
from tests.docker.workloads import until

pytestmark = pytest.mark.docker

UNTIL_COPIED = """
timeout 60 care-backup serve >/tmp/said 2>&1 & served=$!
until grep -q 'copied off-site' /tmp/said || ! kill -0 $served 2>/dev/null; do sleep 0.2; done
sleep 1
kill $served; wait $served; cat /tmp/said
"""


@pytest.fixture(params=["s3", "sftp"])
def away(request: pytest.FixtureRequest, client: docker.DockerClient) -> Iterator[tuple[Care, str]]:  # noqa: F811
    """A system with such a target, and its name."""
    with care(client) as made:
        yield made, request.param


def test_a_lost_host_comes_back_from_the_off_site_copy(away: tuple[Care, str]) -> None:
    editor, kind = away
    objects = editor.volume("objects")
    getattr(editor, kind)(objects)
    if kind == "s3":
        # A bucket is a folder of this server.
        editor.run("bucket", command=["mkdir", "/objects/backups"], volumes={objects.name: "/objects"})
    box = editor.start()
    put(box, FILES)
    code, said = does(box, "care-backup", "now")
    assert code == 0 and "copied off-site" in said, said
    assert does(box, "care-backup", "health") == (0, "")
    assert [one["tags"] for one in snapshots(box, "--off-site")] == [["full"]]
    before = digests(box)
    for secret in ("a-secret-key-of-s3", "PRIVATE KEY"):
        assert secret not in str(editor.client.api.inspect_container(box.id)) + said

    # All that this host had is gone: data, repository and what was known of it.
    assert does(box, "sh", "-c", "rm -rf /data/files/* /backup/* /backup/.state*")[0] == 0
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "restore backup latest --off-site" in said, said
    # Nor is it by its first files, with which it is not empty any more.
    put(box, {"speech.wav": b"a first word"})
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "has 1 snapshots of this system" in said and "--accept-empty" in said, said
    assert snapshots(box) == [] and len(snapshots(box, "--off-site")) == 1
    assert does(box, "rm", "/data/files/speech.wav")[0] == 0
    code, said = does(box, "care-backup", "restore", "latest", "--off-site")
    assert code == 0, said
    assert digests(box) == before
    code, said = does(box, "care-backup", "now")
    assert code == 0, said


def test_a_target_that_refuses_is_named_and_the_backup_here_is_good(away: tuple[Care, str]) -> None:
    editor, kind = away
    small = editor.volume("objects", room="32m")
    server = getattr(editor, kind)(small)
    if kind == "s3":
        assert does(server, "mkdir", "/objects/backups")[0] == 0
    # A volume in memory is empty again when nobody has it.
    editor.serve("holder", ["sleep", "infinity"], volumes={small.name: {"bind": "/objects", "mode": "rw"}})
    # Another's, on the same disk.
    fill = "head -c 26M /dev/urandom > /objects/filler"
    assert does(server, "sh", "-c", fill)[0] == 0
    right = (editor.secrets / ("secret_key" if kind == "s3" else "sftp_key")).read_text()
    if kind == "s3":
        editor.secret("secret_key", "not-the-secret-key")
    else:
        editor.run("key", command=["true"])
        (editor.secrets / "sftp_key").chmod(0o600)
        editor.secret("sftp_key", (editor.folder / "ssh" / "host").read_text())
    box = editor.start()
    put(box, FILES)
    # Whether another host made backups there is not known: this one's must not become the newest.
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "it does not accept the login" in said and "--accept-empty" in said, said
    assert does(box, "care-backup", "health")[0] == 1
    assert snapshots(box) == []
    code, said = does(box, "care-backup", "now", "--accept-empty")
    assert code == 1 and "it does not accept the login" in said, said
    assert len(snapshots(box)) == 1

    editor.secret("secret_key" if kind == "s3" else "sftp_key", right.rstrip("\n"))
    code, said = does(box, "care-backup", "now")
    assert code == 0, said
    put(box, {"big": random.Random(3).randbytes(12 << 20)})
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "full" in said and "make room there" in said, said
    assert len(snapshots(box)) == 3

    server.stop(timeout=5)
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "it cannot be reached" in said, said
    code, said = does(box, "care-backup", "health")
    assert code == 1 and "it cannot be reached" in said
    assert len(snapshots(box)) == 4
    # A snapshot that is too large keeps back none that came later.
    assert does(box, "rm", "/data/files/big")[0] == 0
    put(box, {"later.txt": b"the newest"})
    server.start()
    until("the target", lambda: does(server, "true")[0] == 0 or None)
    editor.listens(server, 9000 if kind == "s3" else 2222)
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "make room there" in said, said
    newest = snapshots(box)[-1]["time"]
    assert len(snapshots(box)) == 5 and snapshots(box, "--off-site")[-1]["time"] == newest

    # Once there is room, what is left to do is the copy alone.
    assert does(server, "rm", "/objects/filler")[0] == 0
    _, said = does(box, "sh", "-c", UNTIL_COPIED)
    assert "copied off-site" in said and "snapshot taken" not in said, said
    assert len(snapshots(box)) == 5 and len(snapshots(box, "--off-site")) == 5
    assert does(box, "care-backup", "health") == (0, "")
    code, said = does(box, "care-backup", "now")
    assert code == 0, said


@pytest.mark.parametrize("away", ["s3"], indirect=True)
def test_fewer_days_are_a_way_out_of_a_full_target(away: tuple[Care, str]) -> None:
    editor, _ = away
    server = editor.s3(editor.volume("objects", room="16m"))
    assert does(server, "mkdir", "/objects/backups")[0] == 0
    box = editor.start()
    put(box, FILES)
    assert does(box, "care-backup", "now")[0] == 0
    ten_days_ago(box, megabytes=10)
    code, said = does(box, "care-backup", "now")
    assert code == 0, said
    assert len(snapshots(box, "--off-site")) == 3
    put(box, {"big": random.Random(5).randbytes(10 << 20)})
    code, said = does(box, "care-backup", "now")
    assert code == 1 and "full" in said and "make room there" in said, said
    editor.settings["keep_days"] = 7
    editor.write()
    code, said = does(box, "care-backup", "now")
    assert code == 0, said
    assert does(box, "care-backup", "health") == (0, "")
    assert len(snapshots(box)) == len(snapshots(box, "--off-site")) == 4


def test_another_ssh_server_is_not_written_to(client: docker.DockerClient) -> None:  # noqa: F811
    with care(client) as editor:
        editor.sftp(editor.volume("objects"))
        editor.known_hosts = f"[sftp]:2222 {(editor.folder / 'ssh' / 'client.pub').read_text()}"
        box = editor.start()
        put(box, FILES)
        code, said = does(box, "care-backup", "now")
        assert code == 1 and "the SSH server is not the one whose host_key is set" in said, said
