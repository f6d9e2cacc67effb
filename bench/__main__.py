"""`python -m bench [WHAT ...]`: measures, prints ratios, and exits with 1 where a goal is missed."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from typing import Final

from bench import backup, cloud, gateway, preview, rolling, rolling_systems, scale, systems
from bench.machine import Processors
from bench.result import Result, markdown

MEASUREMENTS: Final[dict[str, Callable[[], list[Result]]]] = {
    "preview": preview.preview,
    "up": gateway.up,
    "memory": scale.memory,
    "scale": scale.preview,
    "rolling": rolling.handover,
    "rolling-systems": rolling_systems.rolling_systems,
    "edge": rolling.throughput,
    "systems": systems.systems,
    "backup": backup.backup,
    "cloud": cloud.cloud,
}


def main() -> int:
    """Run the chosen measurements, all by default."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "what", nargs="*", choices=[*MEASUREMENTS, []], help=f"of {', '.join(MEASUREMENTS)}; all by default"
    )
    chosen = parser.parse_args().what or list(MEASUREMENTS)
    # Told to end, it removes what it made, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    results, before = [], Processors.now()
    for name in chosen:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        results += MEASUREMENTS[name]()
    print(markdown(results), end="")
    stolen = Processors.now().stolen_since(before)
    print(
        f"\nOf the processors' time that was wanted meanwhile, others on the machine's host got {stolen:.0%}."
    )
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
