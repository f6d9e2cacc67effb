"""Runs a Pulumi program. Started by the host with the program's own Python; imports nothing of ours.

Reads one JSON document from stdin (see program.py). Exit status: 0 done, SHOWN the failure was already
shown to the user, INTERRUPTED cancelled, anything else is the program's own.
"""

import asyncio
import ctypes
import gc
import json
import logging
import os
import runpy
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

SHOWN = 32
INTERRUPTED = 130
_PR_SET_PDEATHSIG = 1


def main() -> int:
    """Runs the program that stdin describes; the exit status."""
    if sys.platform == "linux":  # a host that was killed outright could not end this process
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # Imports and registrations make hundreds of thousands of objects and little garbage: looking for it after
    # every 700 of them, the default, takes a fifth of the time of an average program.
    gc.set_threshold(50_000, 20, 20)
    request = json.load(sys.stdin)
    program = Path(request["pwd"], request["program"]).resolve()
    folder = program if program.is_dir() else program.parent
    sys.path[0] = str(folder)  # for good, not only while the main module runs: apply() callbacks import later
    if program.is_dir() and not (program / "__main__.py").is_file():
        print(f"no program: {program} has no __main__.py", file=sys.stderr)  # noqa: T201
        return 1
    try:
        import pulumi
        import pulumi.runtime
    except ImportError:
        traceback.print_exc()
        print(  # noqa: T201
            f"the Pulumi SDK cannot be imported in {sys.prefix}; run `pulumi install`", file=sys.stderr
        )
        return 1

    pulumi.runtime.set_all_config(request["config"], request["secret_keys"])
    pulumi.runtime.configure(pulumi.runtime.Settings(**request["settings"]))
    sys.argv = [str(program), *request["args"]]
    # A failed program leaves futures unobserved by design; asyncio's complaints would bury the real error.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Each registration blocks a thread: fewer of them than the engine works in parallel would slow it down.
    workers = ThreadPoolExecutor(max_workers=max(request["settings"]["parallel"], 1) * 4)
    loop.set_default_executor(workers)

    def run() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        loop.run_until_complete(pulumi.runtime.run_in_stack(run))
        status = 0
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        status = SHOWN
    except Exception as error:
        pulumi.log.error(f"Program failed with an unhandled exception:\n{_describe(error, folder)}")
        status = SHOWN
    workers.shutdown(wait=True)
    loop.close()
    gc.freeze()  # else the interpreter's end looks through all that was imported: a quarter of a second
    return status


def _describe(error: BaseException, folder: Path) -> str:
    """The traceback from the program's first frame on; the runner's and the SDK's above it say nothing."""
    trace: TracebackType | None = error.__traceback__
    while trace is not None and not _is_users(trace.tb_frame.f_code.co_filename, folder):
        trace = trace.tb_next
    if trace is None and not isinstance(error, SyntaxError):
        trace = error.__traceback__
    lines: list[Any] = traceback.format_exception(type(error), error, trace)
    return "".join(lines)


def _is_users(filename: str, folder: Path) -> bool:
    """Whether a source file belongs to the program, whose folder often holds the virtualenv as well."""
    return filename.startswith(f"{folder}/") and not filename.startswith(f"{sys.prefix}/")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(INTERRUPTED)  # threads still wait for the engine, which waits for this process
