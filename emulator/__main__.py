"""Serves an emulated cloud on loopback, and removes what one left behind:

    python -m emulator serve --folder F [--port P] [--seed N] [--pace X] [--machines IMAGE --name NAME]
    python -m emulator remove --folder F --name NAME

When it listens, one line of JSON is on stdout: {"url": ..., "pid": ..., "account": ...}. The same is in
serving.json in its folder while it serves. SIGTERM and Ctrl-C end it; the machines stay as they are then,
unless --destroy was given.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import json
import logging
import os
import shutil
import signal
import socket
import sys
from functools import partial
from pathlib import Path

import uvicorn
from docker.errors import DockerException

from emulator import clockwork
from emulator.access import write_profile
from emulator.cloud import PUBLIC, open_cloud
from emulator.control import token_of
from emulator.plane.disks import Disks
from emulator.plane.engine import GONE, Engine, ScriptError
from emulator.plane.names import Names
from emulator.plane.networks import Networks
from emulator.plane.plane import Plane
from emulator.server import application
from emulator.store import UnknownSchemaError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m emulator", description="An Alibaba Cloud that runs here."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB", dest="verb")
    serve = verbs.add_parser("serve", help="serve a cloud")
    remove = verbs.add_parser("remove", help="remove a cloud that no emulator serves: machines and state")
    remove.add_argument("--folder", type=Path, required=True, help="where its state lies")
    remove.add_argument("--name", required=True, help="of this cloud's containers on the Docker engine")
    serve.add_argument(
        "--folder", type=Path, required=True, help="where its state lies; made where it is not"
    )
    serve.add_argument("--port", type=int, default=0, help="of 127.0.0.1; 0: a free one")
    serve.add_argument("--seed", type=int, help="of a new cloud: its ids repeat")
    serve.add_argument(
        "--pace", type=float, default=1, help="how long steps take, against what is usual; 0: at once"
    )
    serve.add_argument(
        "--machines",
        metavar="IMAGE",
        help="run instances as containers of this image (of emulator/guest); without: nothing runs",
    )
    serve.add_argument("--region", default="cn-hangzhou", help="of the profile that is written for clients")
    serve.add_argument("--name", default="cloud", help="of this cloud's containers on the Docker engine")
    serve.add_argument("--destroy", action="store_true", help="remove them when it ends")
    return parser.parse_args()


def alone(folder: Path) -> None:
    """Keep other emulators out of the folder until this process ends. Raises OSError where one is in it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BlockingIOError("another emulator has its state there") from None


def main() -> int:
    given = _arguments()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    return _remove(given.folder, given.name) if given.verb == "remove" else _serve(given)


def _remove(folder: Path, name: str) -> int:
    """All of a cloud, in the order in which it can be done again: its state goes last."""
    try:
        alone(folder)
    except OSError as failure:
        print(f"{folder}: {failure}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        engine = Engine(Names(name))
        removed = engine.there()
        if engine.find(engine.names.plumber) is not None:
            Disks(engine, Networks(engine, "", PUBLIC)).release()
        engine.remove_everything()
    except (*GONE, ScriptError) as failure:
        print(f"the Docker engine: {failure}", file=sys.stderr)  # noqa: T201
        return 1
    shutil.rmtree(folder)
    print(json.dumps({"removed": removed}))  # noqa: T201
    return 0


def _serve(given: argparse.Namespace) -> int:
    # With its protocol named: else asyncio does not switch off the delay of small packets, 40 ms a call.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", given.port))
    except (OSError, OverflowError) as failure:
        print(f"port {given.port} of 127.0.0.1: {failure}", file=sys.stderr)  # noqa: T201
        return 1
    try:
        alone(given.folder)
        serving = given.folder / "serving.json"
        serving.unlink(missing_ok=True)  # of one that died
        cloud = open_cloud(given.folder, seed=given.seed, pace=given.pace)
    except (OSError, UnknownSchemaError) as failure:
        print(f"{given.folder}: {failure}", file=sys.stderr)  # noqa: T201
        return 1
    plane: Plane | None = None
    if given.machines:
        try:
            plane = Plane(cloud, Engine(Names(given.name)), given.machines)
            plane.start()
        except DockerException as failure:
            print(f"the Docker engine: {failure}", file=sys.stderr)  # noqa: T201
            cloud.store.close()
            return 1
    else:
        cloud.settle = partial(clockwork.move, cloud)
    app = application(cloud, token=token_of(given.folder))
    write_profile(cloud, "berth-cloud", given.region)
    server = uvicorn.Server(
        uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=3, timeout_keep_alive=60
        )
    )

    # uvicorn ends in good order, then raises the signal again: the store is still to be closed then.
    signal.signal(signal.SIGTERM, lambda *_: None)

    async def serve() -> None:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not running.done():
            await asyncio.sleep(0.01)
        if server.started:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            said = json.dumps({"url": url, "pid": os.getpid(), "account": cloud.account})
            serving.write_text(said)
            print(said, flush=True)  # noqa: T201
        await running

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:  # uvicorn raises it anew once it has ended in good order
        pass
    finally:
        serving.unlink(missing_ok=True)
        if plane is not None:
            plane.stop()
            if given.destroy:
                plane.destroy()
        cloud.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
