"""A shell script in a running container, with a stream into it and one out of it, on any docker host."""

from __future__ import annotations

import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ops.errors import UserError

if TYPE_CHECKING:
    from docker import DockerClient

_HEADER = struct.Struct(">BxxxL")  # which stream, and how many bytes follow
_KEPT = 2000  # bytes of what a script says, for its error
_TOOL = re.compile(r"^\w+: error: ", re.MULTILINE)
_STOP = 30.0  # seconds that a script whose input was cut may take to end


class ScriptError(Exception):
    """A script's exit status was not 0. Its text: the last that it said."""


def run(
    client: DockerClient,
    container: str,
    script: str,
    *args: str,
    feed: Iterable[bytes] = (),
    sink: Callable[[bytes], object] | None = None,
) -> None:
    """Runs `sh -c SCRIPT sh ARGS` in the container and waits for its end.

    The input has no end of its own, for not every way to an engine can close one direction: the script
    takes as many bytes as an argument says. Raises ScriptError, UserError when the container is not there
    or does not run, and whatever `feed` and `sink` raise; a script that is fed has ended then, too.
    """
    from docker.errors import APIError, NotFound

    api = client.api
    try:
        made = api.exec_create(container, ["sh", "-c", script, "sh", *args], stdin=True)["Id"]
        stream: Any = api.exec_start(made, socket=True)
    except NotFound:
        raise UserError(f"container {container} is missing", fix="./berth up, then the same again") from None
    except APIError as error:
        raise UserError(
            f"nothing can be run in container {container}: {error.explanation}",
            fix="./berth status says how it is",
        ) from None
    # The SDK reads past this buffer, in which the first bytes may already lie.
    reader = stream._response.raw._fp.fp
    wire: socket.socket = getattr(stream, "_sock", stream)
    failed: list[BaseException] = []

    def write() -> None:
        try:
            for chunk in feed:
                try:
                    wire.sendall(chunk)
                except OSError:
                    return  # it ended before it had read all; its status tells why
        except BaseException as error:
            failed.append(error)
            _cut(wire)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    said = b""
    try:
        for kind, data in _frames(reader):
            if kind != 1:
                said = (said + data)[-_KEPT:]
            elif sink is not None:
                sink(data)
    except BaseException:
        _cut(wire)
        if feed:
            # What it still does with what it got must be over before anything else is done.
            _ended(api, made)
        raise
    finally:
        stream._response.close()
    code = _ended(api, made)
    if failed:
        raise failed[0]
    if code != 0:
        text = _TOOL.sub("", said.decode(errors="replace").strip())
        raise ScriptError(text or (f"exit status {code}" if code is not None else "its connection broke"))


def _frames(reader: Any) -> Iterator[tuple[int, bytes]]:
    """What comes out, piece by piece; 1 is stdout."""
    try:
        while len(header := reader.read(_HEADER.size)) == _HEADER.size:
            kind, size = _HEADER.unpack(header)
            yield kind, reader.read(size)
    except ConnectionResetError:
        return  # it ended before it had read all that was sent; what it said came before


def _cut(wire: socket.socket) -> None:
    try:
        wire.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _ended(api: Any, made: str) -> int | None:
    """The exit status; None when the script still runs."""
    deadline = time.monotonic() + _STOP
    while True:
        state = api.exec_inspect(made)
        if not state["Running"] or time.monotonic() > deadline:
            code: int | None = state["ExitCode"]
            return code
        time.sleep(0.1)
