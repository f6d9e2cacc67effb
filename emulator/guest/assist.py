"""What Cloud Assistant's agent does on a machine: runs a command, keeps what it prints and how it ended.

    python3 assist.py ID < {"interpreter": [...], "suffix": ".sh", "content": "base64", "directory": "/root",
                            "user": "root", "timeout": 60}

The command goes on when its caller is gone. Its state lies in /var/lib/cloud-assist/ID: pid, output (the last
24 KiB are kept), ended ({"exit": N, "reason": "", "at": seconds}).
"""

from __future__ import annotations

import base64
import json
import os
import pwd
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path("/var/lib/cloud-assist")


def main(name: str, order: dict[str, Any]) -> None:
    place = FOLDER / name
    place.mkdir(parents=True, mode=0o700)
    if os.fork():
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    write(place / "ended", run(place, order))


def run(place: Path, order: dict[str, Any]) -> dict[str, Any]:
    script = place / f"command{order['suffix']}"
    script.write_bytes(base64.b64decode(order["content"]))
    try:
        who = pwd.getpwnam(order["user"])
    except KeyError:
        return {"exit": -1, "reason": "UserOrGroupNotExists", "at": time.time()}
    if not Path(order["directory"]).is_dir():
        return {"exit": -1, "reason": "DirectoryNotExists", "at": time.time()}
    for path in (place, script):
        os.chown(path, who.pw_uid, who.pw_gid)
    script.chmod(0o700)
    environment = {
        "HOME": who.pw_dir,
        "USER": who.pw_name,
        "LOGNAME": who.pw_name,
        "SHELL": who.pw_shell,
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    }
    with (place / "output").open("wb") as output:
        try:
            child = subprocess.Popen(
                [*order["interpreter"], str(script)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=order["directory"],
                env=environment,
                user=who.pw_uid,
                group=who.pw_gid,
                extra_groups=os.getgrouplist(who.pw_name, who.pw_gid),
                start_new_session=True,
            )
        except OSError as failure:
            return {"exit": -1, "reason": f"ScriptExecuteFailed: {failure}", "at": time.time()}
        write(place / "pid", child.pid)
        try:
            code = child.wait(order["timeout"])
            reason = ""
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            code, reason = -1, "Timeout"
    return {"exit": code, "reason": reason, "at": time.time()}


def write(path: Path, value: object) -> None:
    """Whole or not at all: it is read from outside at any time."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(value))
    part.rename(path)


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
