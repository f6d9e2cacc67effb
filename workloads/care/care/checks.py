"""What can be looked at, each with one finding: how it is, in a word and a sentence."""

from __future__ import annotations

import json
import re
import socket
import sqlite3
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from care.sources import files
from care.trouble import Trouble

_TIMEOUT = 10.0
_TAIL = 1 << 20  # bytes of a log's end that are read
_ERROR = re.compile(rb'\b(ERROR|FATAL|CRITICAL)\b|"level":\s*("(error|fatal|critical)"|50|60)')
_TIME = re.compile(rb"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,]\d+)?(Z|[+-]\d\d:?\d\d)?")
_GOOD = frozenset({"ok", "pass", "up", "healthy", "ready", "alive"})


class State(IntEnum):
    """Also the exit status."""

    HEALTHY = 0
    WARNING = 1
    UNHEALTHY = 2


@dataclass(frozen=True)
class Finding:
    """text: what was seen; with its way out where something is wrong."""

    state: State
    text: str


def look(check: Mapping[str, Any]) -> Finding:
    """Never raises for what it finds, however broken."""
    try:
        return _KINDS[str(check["kind"])](check)
    except (OSError, ValueError, Trouble, sqlite3.Error, subprocess.SubprocessError) as error:
        return Finding(State.UNHEALTHY, f"{type(error).__name__}: {error}")


def _port(check: Mapping[str, Any]) -> Finding:
    address = str(check["host"]), int(check["port"])
    socket.create_connection(address, timeout=_TIMEOUT).close()
    return Finding(State.HEALTHY, f"{address[0]}:{address[1]} takes connections")


def _http(check: Mapping[str, Any]) -> Finding:
    began = time.monotonic()
    body, _ = _ask(check)
    seconds = time.monotonic() - began
    try:
        status = json.loads(body).get("status", "ok")
    except (ValueError, AttributeError):
        status = "ok"
    if str(status).lower() not in _GOOD:
        return Finding(State.WARNING, f"it answers, with status {str(status)[:80]}")
    if seconds > float(check["slow"]):
        return Finding(State.WARNING, f"it took {seconds:.1f} s, more than {check['slow']} s")
    return Finding(State.HEALTHY, f"answered in {seconds * 1000:.0f} ms")


def _speech(check: Mapping[str, Any]) -> Finding:
    body, kind = _ask(check, json.dumps(_of_now(check["body"])).encode())
    if check.get("sounds"):
        body = (Path(check["sounds"]) / Path(json.loads(body)["url"]).name).read_bytes()
        kind = "the file"
    if len(body) <= 44 or not (body[:4] == b"RIFF" or kind.startswith("audio/")):
        return Finding(State.UNHEALTHY, f"no sound came back, but {len(body)} bytes of {kind or 'nothing'}")
    return Finding(State.HEALTHY, f"spoke {len(body)} bytes")


def _of_now(body: Mapping[str, Any]) -> dict[str, Any]:
    """With the time in place of {time}: who keeps what it has spoken must speak this anew."""
    now = datetime.now(UTC).isoformat(sep=" ", timespec="microseconds").removesuffix("+00:00")
    return {
        name: text.replace("{time}", now) if isinstance(text, str) else text for name, text in body.items()
    }


def _external(check: Mapping[str, Any]) -> Finding:
    """Whatever it answers, it is reached; without it the system itself still runs."""
    try:
        _ask(check)
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            return Finding(State.WARNING, f"{check['url']} answers {error.code}")
    except OSError as error:
        return Finding(State.WARNING, f"{check['url']} is not reached: {getattr(error, 'reason', error)}")
    return Finding(State.HEALTHY, "reached")


def _sqlite(check: Mapping[str, Any]) -> Finding:
    path = Path(check["path"])
    if not path.exists():
        return Finding(State.UNHEALTHY, f"{path} is not there")
    wal = path.with_name(f"{path.name}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    # Without a program that has it open nothing may be written beside it, and nothing changes.
    how = "mode=ro" if wal.exists() else "mode=ro&immutable=1"
    with closing(sqlite3.connect(f"file:{path}?{how}", uri=True, timeout=_TIMEOUT)) as database:
        said = [row[0] for row in database.execute("PRAGMA quick_check(3)")]
    if said != ["ok"]:
        return Finding(State.UNHEALTHY, f"damaged: {'; '.join(said)}; ./berth restore backup latest")
    if size > int(check["max_wal"]):
        return Finding(
            State.WARNING, f"its write-ahead log has {size >> 20} MiB: a reader holds it, restart that one"
        )
    return Finding(State.HEALTHY, f"whole; write-ahead log {size >> 10} KiB")


def _postgres(check: Mapping[str, Any]) -> Finding:
    """pg_isready over TLS: the server answers before it asks for a password, and its log stays quiet."""
    where = f"{check['host']}:{check['port']}"
    address = (
        f"host={check['host']} port={check['port']} user={check['user']} dbname={check['database']} "
        f"sslmode=verify-full sslrootcert={check['authority']}"
    )
    done = subprocess.run(
        ["pg_isready", "-q", "-t", f"{_TIMEOUT:.0f}", "-d", address], timeout=2 * _TIMEOUT, check=False
    )
    match done.returncode:
        case 0:
            return Finding(State.HEALTHY, f"{where} takes connections")
        case 1:
            return Finding(State.UNHEALTHY, f"{where} starts or stops, and takes no connections")
    return Finding(State.UNHEALTHY, f"{where} does not answer, or not with its certificate")


def _files(check: Mapping[str, Any]) -> Finding:
    found = [
        (path, info) for path, info in files(Path(check["path"])) if path.suffix in tuple(check["suffixes"])
    ]
    if empty := [str(path) for path, info in found if info.st_size == 0]:
        return Finding(State.WARNING, f"{len(empty)} of {len(found)} files are empty, such as {empty[0]}")
    return Finding(State.HEALTHY, f"{len(found)} files, {sum(info.st_size for _, info in found) >> 20} MiB")


def _cpu(check: Mapping[str, Any]) -> Finding:
    def times() -> tuple[int, int]:
        numbers = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(numbers), numbers[3] + numbers[4]

    total, idle = times()
    time.sleep(1)
    total_now, idle_now = times()
    used = 100 * (1 - (idle_now - idle) / max(1, total_now - total))
    return _share(check, used, "of the processors are busy")


def _memory(check: Mapping[str, Any]) -> Finding:
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    total, free = (int(lines[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
    return _share(check, 100 * (1 - free / total), "of the memory is in use")


def _disk(check: Mapping[str, Any]) -> Finding:
    import shutil

    usage = shutil.disk_usage(check["path"])
    return _share(check, 100 * (1 - usage.free / usage.total), f"of the disk of {check['path']} is in use")


def _share(check: Mapping[str, Any], percent: float, what: str) -> Finding:
    state = State.HEALTHY
    if check["critical"] is not None and percent >= float(check["critical"]):
        state = State.UNHEALTHY
    elif percent >= float(check["warning"]):
        state = State.WARNING
    return Finding(state, f"{percent:.0f} % {what}")


def _log(check: Mapping[str, Any]) -> Finding:
    path, since = Path(check["path"]), time.time() - float(check["within"])
    if not path.exists():
        return Finding(State.HEALTHY, "no log yet")
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL))
        lines = file.read().splitlines()
    count, moment = 0, path.stat().st_mtime
    for line in reversed(lines):
        if found := _TIME.search(line):
            zone = (found[3] or b"Z").decode().replace("Z", "+00:00")
            moment = datetime.fromisoformat(f"{found[1].decode()}T{found[2].decode()}{zone}").timestamp()
        if moment < since:
            break
        count += bool(_ERROR.search(line))
    state = State.HEALTHY
    if count >= int(check["critical"]):
        state = State.UNHEALTHY
    elif count >= int(check["warning"]):
        state = State.WARNING
    return Finding(state, f"{count} errors in the last {float(check['within']) / 60:.0f} minutes")


def _certificate(check: Mapping[str, Any]) -> Finding:
    """As a client sees it: its name, its issuer and its days."""
    context = ssl.create_default_context(cafile=check.get("authority") or None)
    # The authority may be one that another has signed.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    address = str(check["host"]), int(check["port"])
    try:
        with (
            socket.create_connection(address, timeout=_TIMEOUT) as wire,
            context.wrap_socket(wire, server_hostname=str(check["name"])) as secure,
        ):
            seen: Any = secure.getpeercert()
    except ssl.SSLCertVerificationError as error:
        return Finding(State.UNHEALTHY, f"no client accepts it: {error.verify_message}")
    days = (ssl.cert_time_to_seconds(str(seen["notAfter"])) - datetime.now(UTC).timestamp()) / 86400
    state = State.HEALTHY
    if days < float(check["critical"]):
        state = State.UNHEALTHY
    elif days < float(check["warning"]):
        state = State.WARNING
    return Finding(state, f"valid for {days:.0f} more days")


def _ask(check: Mapping[str, Any], body: bytes | None = None) -> tuple[bytes, str]:
    headers = {"Content-Type": "application/json"} if body else {}
    request = urllib.request.Request(str(check["url"]), body, headers)  # noqa: S310  (checked by the stack)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=float(check.get("timeout", _TIMEOUT))) as answer:
        return answer.read(64 << 20), str(answer.headers.get_content_type())


_KINDS: dict[str, Callable[[Mapping[str, Any]], Finding]] = {
    "port": _port,
    "http": _http,
    "speech": _speech,
    "external": _external,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "files": _files,
    "cpu": _cpu,
    "memory": _memory,
    "disk": _disk,
    "log": _log,
    "certificate": _certificate,
}
