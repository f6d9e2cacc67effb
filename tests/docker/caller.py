"""Runs in a machine: `serve` answers on the ports, `call` says which of these calls were answered.

Calls on stdin, a JSON list of [address, protocol, port]; those that were answered on stdout. All at once.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import struct
import sys
from typing import Any

PORTS = range(8001, 8006)
WAITS = 1.5  # seconds for an answer
AGAIN = 0.5  # seconds after which what may be lost is sent again


class Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.transport.sendto(data, addr)


class Heard(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.heard = asyncio.Event()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.heard.set()


async def serve() -> None:
    loop = asyncio.get_running_loop()
    for port in PORTS:
        await asyncio.start_server(_greet, None, port)
        await loop.create_datagram_endpoint(Echo, local_addr=("::", port))  # for IPv4, too
    await asyncio.Event().wait()


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def pinged(address: str) -> bool:
    """By a raw socket, as root may: not every host has the program."""
    six = ":" in address
    family, protocol = (socket.AF_INET6, 58) if six else (socket.AF_INET, 1)
    asks, answers = (128, 129) if six else (8, 0)
    number = secrets.randbelow(1 << 16)
    sum_ = (asks << 8) + number
    check = ~((sum_ & 0xFFFF) + (sum_ >> 16)) & 0xFFFF  # of IPv6 the kernel computes it
    with socket.socket(family, socket.SOCK_RAW, protocol) as own:
        own.settimeout(AGAIN)
        own.connect((address, 0))
        for _ in range(round(WAITS / AGAIN)):
            try:
                own.send(struct.pack("!BBHHH", asks, 0, check, number, 0))
                while packet := own.recv(2048):
                    inner = packet if six else packet[(packet[0] & 15) * 4 :]
                    if inner[0] == answers and struct.unpack("!H", inner[4:6])[0] == number:
                        return True
            except OSError:
                continue
    return False


async def answered(address: str, protocol: str, port: int) -> bool:
    if protocol == "icmp":
        return await asyncio.to_thread(pinged, address)
    if protocol == "tcp":
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), WAITS)
        except OSError:
            return False
        writer.close()
        return True
    made: tuple[Any, Heard] = await asyncio.get_running_loop().create_datagram_endpoint(
        Heard, remote_addr=(address, port)
    )
    transport, heard = made
    try:
        for _ in range(round(WAITS / AGAIN)):
            transport.sendto(b"hello")
            try:
                await asyncio.wait_for(heard.heard.wait(), AGAIN)
            except TimeoutError:
                continue
            return True
        return False
    finally:
        transport.close()


async def call(calls: list[tuple[str, str, int]]) -> list[tuple[str, str, int]]:
    said = await asyncio.gather(*(answered(*one) for one in calls))
    return [one for one, yes in zip(calls, said, strict=True) if yes]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve())
    else:
        print(json.dumps(asyncio.run(call(json.load(sys.stdin)))))
