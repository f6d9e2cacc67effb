"""A captured child's output, as it comes."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from offline.language.process import Child


@dataclass(frozen=True)
class Line:
    """A piece of output, newline included."""

    data: bytes
    error: bool = False


def stream(child: Child) -> Iterator[Line]:
    """What the child writes on both streams, in order of arrival, until both are closed."""
    lines: queue.SimpleQueue[Line | None] = queue.SimpleQueue()

    def read(source: IO[bytes], error: bool) -> None:
        for data in source:
            lines.put(Line(data, error))
        lines.put(None)

    # Ends what the child leaves behind: a forgotten grandchild would hold the streams open for ever.
    threading.Thread(target=child.wait, daemon=True).start()
    for source, error in ((child.stdout, False), (child.stderr, True)):
        threading.Thread(target=read, args=(source, error), daemon=True).start()
    still_open = 2
    while still_open:
        line = lines.get()
        if line is None:
            still_open -= 1
        else:
            yield line
