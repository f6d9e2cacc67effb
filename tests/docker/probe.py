"""Runs in a lab's container: loads a filter, sends one packet for each probe, says where it arrived.

Order on stdin, answer on stdout, both JSON. Everything is sent and received in one process on one processor,
whose queue of packets is first in, first out: when a packet to itself is back, those before it are through.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

NUMBERS = {"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "gre": 47}
IP_TRANSPARENT, IPV6_TRANSPARENT = 19, 75  # of linux/in.h and in6.h
OUTGOING = 4  # of a packet that the sniffer's own side sent
ROUNDS = 24  # of the queue, until a packet is over all hops, those that ask for a neighbour first included
_libc = ctypes.CDLL(None, use_errno=True)


def enter(process: int) -> None:
    """The network of a process becomes ours."""
    place = os.open(f"/proc/{process}/ns/net", os.O_RDONLY)
    if _libc.setns(place, 0):
        raise OSError(ctypes.get_errno(), "setns")
    os.close(place)


def sniffer() -> socket.socket:
    """Gets all IP packets of the network that we are in."""
    made = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    made.setblocking(False)
    return made


def send(probe: dict[str, Any]) -> None:
    """number: of the probe, and its source port where it has one."""
    family = socket.AF_INET6 if ":" in probe["to"] else socket.AF_INET
    protocol, number = probe["protocol"], probe["number"]
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}.get(protocol, socket.SOCK_RAW)
    with socket.socket(family, kind, NUMBERS[protocol]) as sender:
        sender.setblocking(False)
        # Also from an address that is another's.
        if family == socket.AF_INET:
            sender.setsockopt(socket.IPPROTO_IP, IP_TRANSPARENT, 1)
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        ported = kind != socket.SOCK_RAW
        sender.bind((probe["source"], number if ported else 0))
        to = (probe["to"], probe["port"] if ported else 0)
        if protocol == "tcp":
            code = sender.connect_ex(to)
            if code != errno.EINPROGRESS:
                raise OSError(code, f"connect: {probe}")
        else:
            sender.sendto(_content(protocol, number), to)


def _content(protocol: str, number: int) -> bytes:
    if protocol == "udp":
        return b"probe"
    if protocol == "gre":
        return struct.pack("!HHI", 0, 0x0800, number)
    kind = 8 if protocol == "icmp" else 128
    bare = struct.pack("!BBHHH", kind, 0, 0, number, 1)
    total = sum(struct.unpack("!4H", bare))
    return struct.pack("!BBHHH", kind, 0, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF, number, 1)


def arrived(sniffing: socket.socket) -> Iterator[tuple[str, int, int]]:
    """Protocol, number and port of what came in. What answers it came in, too, under another number."""
    while True:
        try:
            packet, sender = sniffing.recvfrom(4096)
        except BlockingIOError:
            return
        if sender[2] == OUTGOING or len(packet) < 24:
            continue
        six = packet[0] >> 4 == 6
        number, start = (packet[6], 40) if six else (packet[9], (packet[0] & 15) * 4)
        inner = packet[start:]
        first, second = struct.unpack("!HH", inner[:4])
        if number in (6, 17):
            yield ("tcp" if number == 6 else "udp"), first, second
        elif number == 1 and inner[0] == 8:
            yield "icmp", struct.unpack("!H", inner[4:6])[0], 0
        elif number == 58 and inner[0] == 128:
            yield "icmpv6", struct.unpack("!H", inner[4:6])[0], 0
        elif number == 47:
            yield "gre", struct.unpack("!I", inner[4:8])[0], 0


def settle() -> None:
    """Until all that was sent is where it goes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        own.settimeout(5)
        for _ in range(ROUNDS):
            own.sendto(b"through", own.getsockname())
            own.recv(16)


def main() -> None:
    order = json.load(sys.stdin)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    enter(1)
    subprocess.run(["nft", "-f", "-"], input=order["filter"].encode(), check=True)
    places: dict[str, int] = order["places"]
    sniffers = {}
    for name, process in places.items():
        enter(process)
        sniffers[name] = sniffer()
    for probe in order["probes"]:
        enter(places[probe["from"]])
        send(probe)
    enter(1)
    settle()
    seen = [[name, *one] for name, sniffing in sniffers.items() for one in arrived(sniffing)]
    print(json.dumps({"seen": seen}))


main()
