"""What Cloud Assistant's agent does on a machine: runs a command, keeps what it prints and how it ended.

    python3 assist.py ID < {"content": "base64", "directory": "/root", "user": "root", "timeout": 60}

The command goes on when its caller is gone. Its state lies in /var/lib/cloud-assist/ID: `pid`; `output`, as
{"output": "base64", "dropped": N}, the last 24 KiB and how many bytes went before them; at the end `ended`,
as {"exit": N, "reason": "", "at": seconds}. A file `stop` there keeps a command from beginning.
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path("/var/lib/cloud-assist")
KEPT = 24 * 1024  # bytes of output
OFTEN, SELDOM = 0.02, 0.5  # seconds between two looks at the command: while it is young, and later
TOLD = 0.5  # seconds between two writings of what it has printed


class Output:
    """What comes out of a pipe. The disk does not fill with it, however much that is."""

    def __init__(self, place: Path, pipe: int) -> None:
        self.place, self.pipe = place, pipe
        self.kept = b""
        self.dropped = 0
        self.told = 0.0
        self.news = False

    def read(self, within: float) -> bool:
        """Take what is there, or comes within so many seconds; whether there was any."""
        if self.news and time.monotonic() > self.told + TOLD:
            self.write()
        if not select.select([self.pipe], [], [], within)[0]:
            return False
        self.kept += os.read(self.pipe, 1 << 16)
        self.dropped += max(0, len(self.kept) - KEPT)
        self.kept = self.kept[-KEPT:]
        self.news = True
        return True

    def write(self) -> None:
        self.told = time.monotonic()
        text = base64.b64encode(self.kept).decode()
        self.news = not write(self.place / "output", {"output": text, "dropped": self.dropped})


def main(name: str, order: dict[str, Any]) -> None:
    place = FOLDER / name
    place.mkdir(parents=True, mode=0o711)
    if os.fork():
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    reads, writes = os.pipe()
    os.umask(0o077)
    output = Output(place, reads)
    try:
        result = run(place, order, output, writes)
    except OSError as failure:
        result = ended(-1, f"ScriptExecuteFailed: {failure}")
    os.close(writes)
    for _ in range(60):  # seconds, on a disk that is full
        output.write()
        if not output.news and write(place / "ended", result):
            break
        time.sleep(1)
    # What the command left running may still print: with nobody to read that it would be killed.
    while os.read(reads, 1 << 16):
        pass


def run(place: Path, order: dict[str, Any], output: Output, pipe: int) -> dict[str, Any]:
    """How it ended. pipe: the end that the command writes to."""
    script = place / "command.sh"
    script.write_bytes(base64.b64decode(order["content"]))
    try:
        who = pwd.getpwnam(order["user"])
    except KeyError:
        return ended(-1, "UserOrGroupNotExists")
    if not Path(order["directory"]).is_dir():
        return ended(-1, "DirectoryNotExists")
    os.chown(script, who.pw_uid, who.pw_gid)
    script.chmod(0o700)
    environment = {
        "HOME": who.pw_dir,
        "USER": who.pw_name,
        "LOGNAME": who.pw_name,
        "SHELL": who.pw_shell,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    child = subprocess.Popen(
        ["sh", "-c", str(script)],  # what begins with #! is run by what stands there
        stdin=subprocess.DEVNULL,
        stdout=pipe,
        stderr=subprocess.STDOUT,
        cwd=order["directory"],
        env=environment,
        user=who.pw_uid,
        group=who.pw_gid,
        extra_groups=os.getgrouplist(who.pw_name, who.pw_gid),
        umask=0o022,
        start_new_session=True,
    )
    write(place / "pid", child.pid)
    # Who stops it writes `stop`, then reads `pid`: one of the two sees the other's.
    if (place / "stop").exists():
        os.killpg(child.pid, signal.SIGKILL)
    reason, began = "", time.monotonic()
    while child.poll() is None:
        age = time.monotonic() - began
        if age > order["timeout"]:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            reason = "Timeout"
        output.read(max(OFTEN, min(SELDOM, age / 20)))
    until = time.monotonic() + TOLD  # what it left running may print without end
    while output.read(0) and time.monotonic() < until:
        pass
    return ended(-1 if reason else child.returncode, reason)


def ended(code: int, reason: str) -> dict[str, Any]:
    return {"exit": code, "reason": reason, "at": time.time()}


def write(path: Path, value: object) -> bool:
    """Whole or not at all: it is read from outside at any time. Whether the disk took it."""
    part = path.with_suffix(".part")
    try:
        part.write_text(json.dumps(value))
        part.rename(path)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
