"""Logs: cut under a running writer without a lost line, and deleted ones that somebody keeps open."""

from __future__ import annotations

import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from care import logrotate
from care.cut import cut, size
from care.watched import Watched

BLOCK = 4096
# Lines of many lengths, written in halves: a cut finds them unfinished. Ends with a file, says how many.
_WRITER = """
import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | (os.O_APPEND if sys.argv[2] == "append" else 0))
n = 0
while not os.path.exists(sys.argv[3]):
    line = f"{n} {'x' * (n * 37 % 400)}\\n".encode()
    os.write(fd, line[: len(line) // 2])
    os.write(fd, line[len(line) // 2 :])
    n += 1
print(n)
"""


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """On a file system that takes blocks out, and on one that can only release them."""
    if request.param == "disk":
        yield tmp_path
    else:
        with TemporaryDirectory(dir="/dev/shm", prefix="berth-test-") as name:
            yield Path(name)


def lines(folder: Path) -> list[bytes]:
    """All that was written to app.log, in its order: archives, then the file; without blanks."""
    text = b"".join(gzip.decompress(path.read_bytes()) for path in sorted(folder.glob("app.log.*.gz")))
    text += (folder / "app.log").read_bytes()
    return [line for line in text.replace(b"\0", b"").split(b"\n") if line.strip()]


@pytest.mark.parametrize("how", ["append", "own offset"])
def test_a_running_writer_loses_no_line(folder: Path, how: str) -> None:
    path, enough = folder / "app.log", folder / "enough"
    command = [sys.executable, "-c", _WRITER, path, how, enough]
    cuts = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        try:
            while cuts < 5 and writer.poll() is None:
                if path.exists() and size(path) > 8 * BLOCK and cut(path):
                    cuts += 1
                time.sleep(0.02)
        finally:
            enough.touch()
        count = int(writer.communicate()[0])
    cut(path)
    assert writer.returncode == 0 and cuts == 5
    found = lines(folder)
    assert [int(line.split()[0]) for line in found] == list(range(count))
    assert all(len(line) == len(f"{n} ") + n * 37 % 400 for n, line in enumerate(found))


def test_a_cut_frees_the_disk_and_archives_whole_lines(folder: Path) -> None:
    path = folder / "app.log"
    path.write_bytes(b"".join(b"line %d\n" % n for n in range(20_000)))
    archive = cut(path)
    assert archive is not None and size(path) <= BLOCK
    packed = gzip.decompress(archive.read_bytes())
    assert packed.startswith(b"line 0\n") and packed.endswith(b"\n")
    assert lines(folder) == [b"line %d" % n for n in range(20_000)]
    assert cut(path) is None and len(list(folder.iterdir())) == 2


@pytest.mark.parametrize("text", [b"", b"short\n", b"x" * 3 * BLOCK, b"a\n" + b"x" * 3 * BLOCK])
def test_what_is_too_short_or_one_unfinished_line_stays(folder: Path, text: bytes) -> None:
    path = folder / "app.log"
    path.write_bytes(text)
    assert cut(path) is None
    assert path.read_bytes() == text


def test_only_what_is_too_large_is_cut_between_the_nights(tmp_path: Path) -> None:
    settings = {"folders": [str(tmp_path)], "keep_days": 28}
    for name, count in (("small.log", 1000), ("large.log", 100_000), ("large.txt", 100_000)):
        (tmp_path / name).write_bytes(b"a line\n" * count)
    old = tmp_path / "small.log.20200101T000000.000000Z.gz"
    old.write_bytes(b"")
    assert logrotate.rotate(settings, larger=100_000) == []
    assert [path.name.partition(".2")[0] for path in sorted(tmp_path.glob("*.gz"))] == ["large.log"]
    assert logrotate.rotate(settings, larger=0) == []
    assert (tmp_path / "large.txt").stat().st_size == 700_000 and not old.exists()
    assert len(list(tmp_path.glob("small.log.*.gz"))) == 1


def test_a_writer_that_keeps_a_deleted_file_open_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    watched = Watched()
    with path.open("a", buffering=1) as writer:
        writer.write("one\n")
        watched.follow(path)
        watched.follow(path)
        writer.write("two\n")
        assert watched.kept(0) == []
        path.unlink()
        (kept,) = watched.kept(0)
        assert kept.path == path and not kept.written
        assert watched.kept(60) == []
        writer.write("into nowhere\n")
        (kept,) = watched.kept(0)
        assert kept.written
        # The next file of this name is another one.
        path.write_text("new\n")
        watched.follow(path)
        assert len(watched.kept(0)) == 1
    assert watched.kept(0) == []
    watched.close()


def test_a_writer_that_renames_its_own_file_is_right(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    watched = Watched()
    with path.open("a") as writer:
        watched.follow(path)
        path.rename(tmp_path / "app.log.1")
        writer.write("still found\n")
        writer.flush()
        assert watched.kept(0) == []
    (tmp_path / "app.log.1").unlink()
    assert watched.kept(0) == []
    watched.close()
