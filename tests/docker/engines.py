"""A second Docker engine that a test may starve, break or stop without touching the machine's own."""

from __future__ import annotations

import ipaddress
import os
import random
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import docker

START_SECONDS = 60
STOP_SECONDS = 30


@contextmanager
def start_engine(
    tmp: Path,
    data_size_mb: int | None = None,
    env: Mapping[str, str] | None = None,
    options: Sequence[str] = (),
    subnet: ipaddress.IPv4Network | None = None,
) -> Iterator[str]:
    """Run a `dockerd` of our own below `tmp` and yield its `unix://` address.

    It has a network namespace of its own, named like the folder of its socket: an engine that starts rewrites
    the packet filter's DOCKER chains, and would take the published ports of the machine's engine with them.

    data_size_mb: its data lies on a tmpfs of that size, so that the disk can be full.
    env: environment of dockerd, and of every hook and runtime that it starts.
    options: further dockerd options.
    subnet: where its namespace meets ours; its own address is `engine_address(subnet)`.
    """
    name = f"bt{secrets.token_hex(4)}"
    home = tmp / name  # a socket's path may have 107 characters, so `tmp` has to be short
    data, run = home / "data", home / "run"
    for folder in (data, run):
        folder.mkdir(parents=True)
    socket = home / "docker.sock"
    with ExitStack() as stack:
        stack.callback(_unmount_below, home)
        if data_size_mb is not None:
            _call("mount", "-t", "tmpfs", "-o", f"size={data_size_mb}m", "tmpfs", str(data))
        stack.enter_context(_namespace(name, subnet or free_subnet()))
        log = stack.enter_context((home / "dockerd.log").open("wb"))
        daemon = subprocess.Popen(
            [
                *in_namespace(socket),
                "dockerd",
                *("--host", f"unix://{socket}"),
                *("--data-root", str(data)),
                *("--exec-root", str(run)),
                *("--pidfile", str(home / "dockerd.pid")),
                *("--config-file", str(_empty_config(home))),
                *options,
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
        stack.callback(_stop, daemon)
        _wait_until_up(daemon, f"unix://{socket}", home / "dockerd.log")
        yield f"unix://{socket}"


def _empty_config(home: Path) -> Path:
    path = home / "daemon.json"
    path.write_text("{}\n")
    return path


def in_namespace(socket: Path) -> list[str]:
    """The words before a command that is to run beside the engine with this socket."""
    # Not `ip netns exec`: that hides the control groups, which the engine needs.
    return ["nsenter", f"--net=/run/netns/{socket.parent.name}"]


def engine_address(subnet: ipaddress.IPv4Network) -> str:
    """Where an engine started with this subnet is reached over TCP."""
    return str(subnet[2])


@contextmanager
def _namespace(name: str, subnet: ipaddress.IPv4Network) -> Iterator[None]:
    peer = f"{name}n"
    _call("ip", "netns", "add", name)
    try:
        _call("ip", "link", "add", name, "type", "veth", "peer", "name", peer, "netns", name)
        _call("ip", "addr", "add", f"{subnet[1]}/{subnet.prefixlen}", "dev", name)
        _call("ip", "link", "set", name, "up")
        for command in (
            f"addr add {engine_address(subnet)}/{subnet.prefixlen} dev {peer}",
            f"link set {peer} up",
            "link set lo up",
        ):
            _call("ip", "-n", name, *command.split())
        yield
    finally:
        # The engine's processes may keep the namespace for a moment; the link must not wait for them.
        subprocess.run(["ip", "link", "del", name], check=False, capture_output=True)
        _call("ip", "netns", "del", name)


def free_subnet() -> ipaddress.IPv4Network:
    """A /24 that no interface of this machine has; by chance, because another worker may be choosing, too."""
    lines = _call("ip", "-4", "-o", "addr").splitlines()
    taken = [ipaddress.ip_interface(line.split()[3]).network for line in lines]
    all_of_them = list(ipaddress.IPv4Network("10.213.0.0/16").subnets(new_prefix=24))
    for candidate in random.sample(all_of_them, len(all_of_them)):
        if not any(candidate.overlaps(it) for it in taken):
            return candidate
    raise RuntimeError("no free /24 is left in 10.213.0.0/16")


def _wait_until_up(daemon: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        try:
            client = docker.DockerClient(base_url=url)
        except docker.errors.DockerException:
            time.sleep(0.1)
            continue
        client.close()
        return
    raise RuntimeError(f"dockerd did not come up; the end of its log:\n{log.read_text()[-2000:]}")


def _stop(daemon: subprocess.Popen[bytes]) -> None:
    daemon.terminate()
    try:
        daemon.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()


def _unmount_below(folder: Path) -> None:
    """The data's tmpfs, and what a killed engine left mounted."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in reversed(mounts):
        if mount.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", mount], check=False)


def _call(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
