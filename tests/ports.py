"""Ports of loopback that stay free while a test has nothing on them."""

import os
import random
import re
import socket
from pathlib import Path

FIRST, EACH, SHARES = 15000, 500, 32
"""Below the kernel's range for outgoing connections and Docker's own choices: 32 workers' shares."""

_given: set[int] = set()


def free_port() -> int:
    """A port of loopback that nobody listens on, which neither the kernel nor another worker gives away.

    A system that is destroyed and brought up again finds it free: a port of the kernel's choice could by then
    be any connection's.

    Raises RuntimeError where none is left, or where the kernel's own range begins too low.
    """
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0) % SHARES
    ports = range(FIRST + worker * EACH, FIRST + (worker + 1) * EACH)
    kernels = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    if ports.stop > kernels:
        raise RuntimeError(
            f"ports {ports.start} to {ports.stop}: the kernel gives away those from {kernels} on"
        )
    for port in random.sample(ports, len(ports)):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no port of {ports.start} to {ports.stop} is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))
        except OSError:
            return False
    return True
