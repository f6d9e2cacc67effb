"""What the machine gave meanwhile: a virtual one may get a part of its processors' time only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_STEAL = 7  # the eighth figure of a processor's line: time in which it wanted to run and its host ran others


@dataclass(frozen=True)
class Processors:
    """Time of all processors since the start, in ticks of the kernel. stolen: taken by the machine's host."""

    busy: int
    stolen: int

    @classmethod
    def now(cls, stat: str | None = None) -> Processors:
        """stat: the text of /proc/stat."""
        text = Path("/proc/stat").read_text(encoding="ascii") if stat is None else stat
        user, nice, system, _, _, irq, softirq, stolen = map(
            int, text.split("\n", 1)[0].split()[1 : _STEAL + 2]
        )
        return cls(busy=user + nice + system + irq + softirq, stolen=stolen)

    def stolen_since(self, before: Processors) -> float:
        """The part, 0 to 1, of the time that was wanted since and that others got."""
        stolen = self.stolen - before.stolen
        wanted = self.busy - before.busy + stolen
        return stolen / wanted if wanted > 0 else 0.0
