"""A service for tests, of Python's own library alone: it starts slowly and finishes what is in flight.

GET / and POST / tell version, host and length of the body; /slow takes SECONDS; /ws echoes WebSockets;
/health fails while it drains, or always with BROKEN=1. Told to stop, it closes WebSockets with 1001; with
ABRUPT=1 it knows nothing of stopping, and drops all at once.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import signal
import socket
import struct
import time

VERSION = os.environ.get("VERSION", "1")
PORT = int(os.environ.get("PORT", "8080"))
stopping = asyncio.Event()


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while not stopping.is_set():
            head = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
            stop = asyncio.ensure_future(stopping.wait())
            await asyncio.wait({head, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not head.done():
                # A request may be on its way: what nginx sent before it knew is answered.
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(asyncio.shield(head), 0.2)
                if not head.done():
                    head.cancel()
                    break
            lines = head.result().decode("latin-1").split("\r\n")
            _, path, _ = lines[0].split(" ", 2)
            headers = {key.lower(): value for key, _, value in (line.partition(": ") for line in lines[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            if path == "/ws":
                await converse(reader, writer, headers["sec-websocket-key"])
                break
            if path.startswith("/slow"):
                await asyncio.sleep(float(os.environ.get("SECONDS", "3")))
            status = "200 OK"
            if path == "/health" and (stopping.is_set() or os.environ.get("BROKEN")):
                status = "503 Service Unavailable"
            answer = json.dumps(
                {"version": VERSION, "host": socket.gethostname(), "length": len(body)}
            ).encode()
            connection = "close" if stopping.is_set() else "keep-alive"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}\r\n"
                f"Connection: {connection}\r\n\r\n".encode()
                + answer
            )
            await writer.drain()
    writer.close()


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
    accept = hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(accept) + b"\r\n\r\n"
    )
    while True:
        message = asyncio.ensure_future(frame(reader))
        stop = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({message, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not message.done():
            message.cancel()
            writer.write(bytes([0x88, 2]) + struct.pack("!H", 1001))
            await writer.drain()
            with contextlib.suppress(asyncio.IncompleteReadError, asyncio.TimeoutError):
                await asyncio.wait_for(reader.read(64), 1)
            return
        opcode, data = message.result()
        if opcode == 8:
            writer.write(bytes([0x88, len(data)]) + data)
            await writer.drain()
            return
        if opcode == 9:
            writer.write(bytes([0x8A, len(data)]) + data)
            await writer.drain()
            continue
        answer = VERSION.encode() + b":" + data
        writer.write(bytes([0x81, len(answer)]) + answer)
        await writer.drain()


async def frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    mask = await reader.readexactly(4)
    data = await reader.readexactly(second & 0x7F)
    return first & 0xF, bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))


async def main() -> None:
    time.sleep(float(os.environ.get("START", "1")))
    connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handle(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(connected, "0.0.0.0", PORT, backlog=512)
    if not os.environ.get("ABRUPT"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    print(f"version {VERSION} listens", flush=True)
    await stopping.wait()
    print("told to stop", flush=True)
    server.close()
    await asyncio.gather(*connections)


asyncio.run(main())
