"""`./berth logs`: what the containers of a stack print, interleaved by time."""

from __future__ import annotations

import heapq
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from ops import members
from ops.errors import UserError
from ops.progress import say

if TYPE_CHECKING:
    from docker import DockerClient

    from ops.engine import Engine
    from ops.stack import Stack
    from stacks.outputs import StackOutputs

SETTLE = 0.3  # seconds that a new line waits for an older one of another container
_PER_CONNECTION = 6  # followed containers; sshd has ten sessions on one, and the engine is asked beside them
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_STYLES = ("cyan", "yellow", "green", "magenta", "blue", "bright_red", "bright_cyan", "bright_green")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A container, and the name before its lines."""

    label: str
    container: str


@dataclass(frozen=True, order=True)
class Line:
    """What was printed at a time (as the engine writes it: these sort as text)."""

    at: str
    label: str
    text: str


def sources(outputs: StackOutputs, wanted: Sequence[str]) -> list[Source]:
    """The containers of the wanted services, each replica with its number."""
    services = {
        (system, service): described
        for system, parts in outputs.systems.items()
        for service, described in parts.services.items()
    }
    named = {
        key: [
            Source(
                label=members.label(*key, services) + (f"-{number}" if len(described.containers) > 1 else ""),
                container=container,
            )
            for number, container in enumerate(described.containers, start=1)
        ]
        for key, described in services.items()
    }
    return [source for found in members.choose(wanted, named, what="service") for source in found]


def moment(text: str, *, now: datetime) -> datetime:
    """The start of `--since`: a length of time before now (10m, 2h, 1d), or a time in ISO 8601 (UTC).

    Raises UserError when it is neither.
    """
    if match := re.fullmatch(r"([0-9]{1,6})([smhd])", text):
        return now - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"--since {text} is no time", fix="write 30s, 10m, 2h or 1d, or a time like 2026-01-31T02:00:00Z"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def show(
    stack: Stack, wanted: Sequence[str], *, follow: bool, tail: int | None, since: datetime | None
) -> None:
    """Prints the logs. Raises UserError for an unknown service, and when no container is left."""
    if stack.engine is None:
        raise UserError(f"stack {stack.name} has no Docker engine to ask", fix="./berth doctor")
    found = sources(stack.outputs(stack.export()), wanted)
    options: dict[str, Any] = {"follow": follow, "timestamps": True, "tail": "all" if tail is None else tail}
    if since is not None:
        options["since"] = since.timestamp()
    write = printer([source.label for source in found])
    with ExitStack() as opened:
        if follow:
            lines = _follow(stack.engine, found, options, opened)
        else:
            client = opened.enter_context(closing(stack.engine.client()))
            # One after the other: a host behind ssh has few sessions, and the engine bounds every log.
            read = {source.label: list(_lines(client, source, options)) for source in found}
            lines = heapq.merge(*read.values())
        for line in lines:
            write(line)


def printer(labels: Sequence[str]) -> Callable[[Line], None]:
    """Writes a line behind its label; in colours on a terminal only."""
    width = max(map(len, labels), default=0)
    if not sys.stdout.isatty():

        def plain(line: Line) -> None:
            sys.stdout.write(f"{line.label:<{width}} | {line.text}\n")
            sys.stdout.flush()

        return plain
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    styles = {name: _STYLES[number % len(_STYLES)] for number, name in enumerate(labels)}

    def coloured(line: Line) -> None:
        # What a container prints may hold sequences of its own colours: those are read, others dropped.
        text = Text(f"{line.label:<{width}} | ", style=styles[line.label])
        console.print(text.append_text(Text.from_ansi(line.text)))

    return coloured


def _lines(client: DockerClient, source: Source, options: dict[str, Any]) -> Iterator[Line]:
    from docker.errors import NotFound

    try:
        chunks = client.containers.get(source.container).logs(stream=True, **options)
    except NotFound:
        say(f"{source.label} ({source.container}): missing; ./berth up makes it again")
        return
    yield from split(source.label, chunks)


def split(label: str, chunks: Iterable[bytes]) -> Iterator[Line]:
    """Lines from the engine's stream, whose chunks end anywhere."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (_line(label, raw) for raw in whole)
    if rest:
        yield _line(label, rest)


def _line(label: str, raw: bytes) -> Line:
    at, _, text = raw.decode(errors="replace").partition(" ")
    return Line(at=at, label=label, text=text.rstrip("\r"))


def _follow(
    engine: Engine, found: Sequence[Source], options: dict[str, Any], opened: ExitStack
) -> Iterator[Line]:
    """All lines as they come, until the last container has stopped."""
    came: queue.Queue[Line | Source] = queue.Queue(maxsize=10_000)
    over = threading.Event()

    def read(client: DockerClient, source: Source) -> None:
        try:
            for line in _lines(client, source, options):
                came.put(line)
        except Exception as error:
            # Our own end cuts the connections, too.
            if over.is_set():
                return
            say(f"{source.label} ({source.container}): the engine ended its log: {error}")
        came.put(source)

    rest = iter(found)
    while some := list(islice(rest, _PER_CONNECTION)):
        client = opened.enter_context(closing(engine.client()))
        for source in some:
            threading.Thread(target=read, args=(client, source), daemon=True).start()
    opened.callback(over.set)
    yield from settled(came, len(found))


def settled(came: queue.Queue[Line | Source], running: int) -> Iterator[Line]:
    """Lines in the order of their times, as far as they come within SETTLE of one another."""
    held: list[tuple[Line, float]] = []
    while running or held:
        timeout = max(0.0, held[0][1] + SETTLE - time.monotonic()) if held else 0.5
        try:
            item = came.get(timeout=timeout) if running else None
        except queue.Empty:
            item = None
        if isinstance(item, Line):
            heapq.heappush(held, (item, time.monotonic()))
        elif item is not None:
            running -= 1
            say(f"{item.label} ({item.container}): its log ends")
        while held and (not running or time.monotonic() - held[0][1] >= SETTLE):
            yield heapq.heappop(held)[0]
