"""A replica leaves the edge before its process is told to stop: leave.sh as a process, the test its edge."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.containers import handover

LEAVE = Path(handover.__file__).with_name("leave.sh").read_text()
ADDRESS, OTHER = "172.20.0.7", "172.20.0.8"
SHELLS = [["sh"], *([["busybox", "sh"]] if shutil.which("busybox") else [])]
# Tells when the signal came, and knows nothing else of stopping.
APP = 'trap "date +%s.%N >{told}; exit 7" TERM; echo $$ >{up}; while :; do sleep 0.1; done'


class Replica:
    """leave.sh around a command, in a folder instead of a container."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.state, self._shell = folder / "state", shell
        self.state.mkdir()
        self.mark, self.told, self._up = self.state / f"leaving.{ADDRESS}", folder / "told", folder / "up"
        (folder / "hostname").write_text("c0ffee\n")
        (folder / "hosts").write_text(f"127.0.0.1 localhost\n{ADDRESS} c0ffee\n")
        text = LEAVE.replace("/run/handover", str(self.state))
        for file in ("hostname", "hosts"):
            assert f"/etc/{file}" in text
            text = text.replace(f"/etc/{file}", str(folder / file))
        self._text = text
        self.process: subprocess.Popen[bytes]

    def start(self, drain: int) -> None:
        app = APP.format(told=self.told, up=self._up)
        self.process = subprocess.Popen(
            [*self._shell, "-c", self._text, "leave", str(drain), "sh", "-c", app], start_new_session=True
        )
        until(lambda: self._up.exists() and bool(self._up.read_text()) and self._listens())

    def _listens(self) -> bool:
        """Whether its traps are set."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def command(self) -> int:
        """Its command's process."""
        return int(self._up.read_text())

    def edge(self, *, serving: str = "", busy: str = "", ago: float = 0) -> None:
        """What an edge says that it does."""
        new = self.state / "status.new"
        new.write_text(f"beat {int(time.time() - ago)}\nnames some\nserving {OTHER} {serving}\nbusy {busy}\n")
        new.rename(self.state / "status")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stays(self, seconds: float, **said: str) -> None:
        """It is not told to stop for so long, while the edge says this."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.edge(**said)
            time.sleep(0.1)
            assert not self.told.exists() and self.process.poll() is None

    def ends(self) -> float:
        """When it was told to stop; its status is the command's."""
        assert self.process.wait(30) == 7
        return float(self.told.read_text())


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def replica(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Replica]:
    made = Replica(tmp_path, request.param)
    yield made
    if made.process.poll() is None:
        os.killpg(made.process.pid, signal.SIGKILL)
        made.process.wait()


def test_it_leaves_waits_for_the_edge_and_then_passes_the_signal_on(replica: Replica) -> None:
    replica.edge(serving=ADDRESS)
    replica.start(drain=60)
    assert not replica.mark.exists()
    replica.stop()
    until(replica.mark.exists)
    replica.stays(1.5, serving=ADDRESS)
    replica.stays(1.5, busy=ADDRESS)
    let_go = time.time()
    replica.edge()
    assert replica.ends() >= let_go


def test_it_repeats_that_it_leaves_for_as_long_as_it_runs(replica: Replica) -> None:
    replica.edge(serving=ADDRESS)
    replica.start(drain=60)
    replica.stop()
    until(replica.mark.exists)
    first = int(replica.mark.read_text())
    assert abs(first - time.time()) < 10
    until(lambda: replica.edge(serving=ADDRESS) or int(replica.mark.read_text()) > first)
    replica.edge()
    replica.ends()
    replica.mark.unlink()
    time.sleep(3)
    assert not replica.mark.exists(), "what has ended says nothing more"


def test_drain_is_the_longest_that_it_waits(replica: Replica) -> None:
    replica.edge(serving=ADDRESS)
    replica.start(drain=3)
    began = time.time()
    replica.stop()
    replica.stays(2, serving=ADDRESS)
    until(lambda: replica.edge(serving=ADDRESS) or replica.told.exists())
    assert 3 <= replica.ends() - began < 20


@pytest.mark.parametrize("edge", ["none", "dead"])
def test_where_no_edge_runs_it_waits_for_nobody(replica: Replica, edge: str) -> None:
    if edge == "dead":
        replica.edge(serving=ADDRESS, ago=60)
    replica.start(drain=60)
    began = time.time()
    replica.stop()
    assert replica.ends() - began < 15
    assert replica.mark.exists()


def test_an_edge_that_dies_meanwhile_is_waited_for_no_more(replica: Replica) -> None:
    replica.edge(serving=ADDRESS)
    replica.start(drain=60)
    replica.stop()
    replica.stays(1, serving=ADDRESS)
    began = time.time()
    assert 5 < replica.ends() - began < 28


def test_what_another_with_its_address_left_behind_is_gone(replica: Replica) -> None:
    replica.mark.write_text("1\n")
    replica.start(drain=60)
    assert not replica.mark.exists()
    replica.stop()
    replica.ends()


def test_a_command_that_ends_by_itself_gives_its_status(replica: Replica) -> None:
    replica.start(drain=60)
    os.kill(replica.command(), signal.SIGTERM)
    assert replica.process.wait(30) == 7 and not replica.mark.exists()
