"""What went wrong with a container, said so that a user can act on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from docker.errors import APIError, DockerException, NotFound

from offline.provider.resource import ResourceError

_LOG_LINES = 20
_LOG_BYTES = 4000
_PORT = re.compile(r"(?:Bind for|listen (?:tcp|udp|sctp)[46]?) \[?([0-9a-fA-F.:]*?)\]?:(\d+)")
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|credential|auth|dsn|url|uri", re.IGNORECASE)
_LISTENING = "0A"
_NO_GPU = (
    "install the NVIDIA Container Toolkit on the engine's host and restart the engine, or ask for no GPU"
)
_NO_RUNTIME = (
    "`nvidia-ctk runtime configure --runtime=docker` on the engine's host (NVIDIA Container Toolkit) and a "
    "restart of the engine, or leave `runtime` out"
)
_NO_CDI = (
    "Docker 25 or newer, with `features: {cdi: true}` in its daemon.json before 28, on a host whose "
    "`nvidia-ctk cdi list` has these names; or ask by the driver nvidia"
)


def explain(error: APIError) -> str:
    """The engine's own words."""
    return str(error.explanation or error).strip()


def redact(text: str, inputs: Mapping[str, Any]) -> str:
    """The text without values of environment variables that look secret, and without uploaded content."""
    hidden: set[str] = set()
    for entry in inputs.get("envs") or ():
        name, _, value = str(entry).partition("=")
        if _SECRET_NAME.search(name):
            hidden.add(value)
        if "://" in value:
            hidden.add(urlsplit(value).password or "")
    for upload in inputs.get("uploads") or ():
        hidden.update(str(upload.get("content") or "").splitlines())
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) >= 4:  # shorter ones would blot out innocent text
            text = text.replace(value, "[secret]")
    return text


def last_logs(api: Any, container: str) -> str:
    """The end of a container's log, indented, or a line that says why there is none."""
    try:
        raw: bytes = api.logs(container, stdout=True, stderr=True, tail=_LOG_LINES)
    except DockerException as error:
        return f"  its log cannot be read: {error}"
    text = raw[-_LOG_BYTES:].decode(errors="replace").strip()
    return "  last log lines:\n" + _indent(text) if text else "  it logged nothing"


def health_output(inspect: Mapping[str, Any]) -> str:
    """What the last run of the health check said."""
    runs = (inspect["State"].get("Health") or {}).get("Log") or []
    if not runs:
        return "  the health check has not run yet"
    output = str(runs[-1].get("Output", "")).strip()[-_LOG_BYTES:]
    return f"  health check, exit code {runs[-1].get('ExitCode')}:\n" + _indent(output or "(no output)")


def _indent(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def name_taken(api: Any, name: str, error: APIError) -> ResourceError:
    """A container of that name exists already and is not ours."""
    try:
        holder = api.inspect_container(name)
    except NotFound:
        return ResourceError(f"the container name '{name}' is taken: {explain(error)}")
    return ResourceError(
        f"the container name '{name}' is taken by container {holder['Id'][:12]} "
        f"(image {holder['Config']['Image']}, {holder['State']['Status']}), which this resource did not "
        "make: it was left alone",
        fix=f"remove it (docker rm -f {name}), choose another name, or take it over: "
        f"pulumi import docker:index/container:Container NAME {holder['Id']}",
    )


def not_created(name: str, error: APIError) -> ResourceError:
    """The engine does not take the container as it is described."""
    text = explain(error)
    # 20.10 says `Unknown runtime specified nvidia`, later ones `unknown or invalid runtime name: nvidia`.
    fix = _NO_RUNTIME if "runtime" in text.lower() and "nvidia" in text else None
    return ResourceError(f"container '{name}' cannot be created: {text}", fix=fix)


def not_started(api: Any, inputs: Mapping[str, Any], error: APIError) -> ResourceError:
    """The engine could not start the container; for a taken port or address, who holds it."""
    name, text = inputs["name"], explain(error)
    if "address already in use" in text.lower() and (taken := _address_holder(api, inputs)):
        return ResourceError(
            f"container '{name}' cannot be started: {taken}",
            fix="take that container off the network, or choose another address",
        )
    port = _PORT.search(text) if "alloc" in text or "in use" in text else None
    if port is None:
        return ResourceError(f"container '{name}' cannot be started: {text}", fix=_gpu_fix(text))
    number = int(port.group(2))
    holder, fix = _port_holder(api, number, name)
    return ResourceError(
        f"container '{name}' cannot be started: host port {number} is taken by {holder}", fix=fix
    )


def _gpu_fix(text: str) -> str | None:
    """What the engine needs where it has no such devices."""
    if "could not select device driver" in text:
        return _NO_CDI if '"cdi"' in text else _NO_GPU
    return "correct the names; `nvidia-ctk cdi list` prints them" if "CDI device" in text else None


def _address_holder(api: Any, inputs: Mapping[str, Any]) -> str | None:
    """Which of the fixed addresses is taken, and by whom."""
    for wanted in inputs.get("networksAdvanced") or ():
        address = wanted.get("ipv4Address")
        try:
            network = api.inspect_network(wanted["name"]) if address else {}
        except NotFound:
            continue
        for holder in (network.get("Containers") or {}).values():
            if str(holder.get("IPv4Address")).partition("/")[0] == address:
                return f"its address {address} is taken by container '{holder['Name']}'"
    return None


def _port_holder(api: Any, number: int, name: str) -> tuple[str, str]:
    other = "publish another port"
    for entry in api.containers():
        if any(port.get("PublicPort") == number for port in entry.get("Ports") or ()):
            holder = entry["Names"][0].lstrip("/")
            if holder.rpartition("-")[0] == name.rpartition("-")[0] != "":
                fix = f"if '{holder}' is the container to be replaced, replace it stop-first, or {other}"
            else:
                fix = f"stop it (docker stop {holder}), or {other}"
            return f"container '{holder}' ({entry['Image']})", fix
    if not str(api.base_url).startswith("http+docker://"):
        return (
            "a process on the engine's host",
            f"see there: ss -ltnp 'sport = :{number}'; stop it, or {other}",
        )
    process = listener(number)
    if process is None:
        return "a process that cannot be seen from here", f"as root: ss -ltnp 'sport = :{number}'; or {other}"
    pid, command = process
    return f"process {pid} ({command})", f"stop it (kill {pid}), or {other}"


def listener(number: int) -> tuple[int, str] | None:
    """The process of this machine that listens on a port."""
    return process_of(_listening_sockets(number))


def process_of(sockets: Iterable[str]) -> tuple[int, str] | None:
    """The first process of this machine that has one of these open; each like `socket:[INODE]`."""
    inodes = set(sockets)
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile, or belongs to another user
            if inodes & set(_open_files(process)):
                return int(process.name), (process / "comm").read_text().strip()
    return None


def _open_files(process: Path) -> Iterable[str]:
    for link in (process / "fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            yield str(link.readlink())


def _listening_sockets(number: int) -> Iterable[str]:
    for table in ("tcp", "tcp6", "udp", "udp6"):
        try:
            lines = Path("/proc/net", table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            listens = columns[3] == _LISTENING or table.startswith("udp")
            if listens and int(columns[1].rpartition(":")[2], 16) == number:
                yield f"socket:[{columns[9]}]"
