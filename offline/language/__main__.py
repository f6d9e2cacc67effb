"""Serves the language host: `python -m offline.language [FLAGS] [ENGINE_ADDRESS]`, as the engine calls it."""

import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

from offline.language.host import LanguageHost
from offline.language.limits import CHANNEL_OPTIONS
from offline.language.process import GRACE_S, stop_all
from offline.stubs import language_pb2_grpc


def main(arguments: list[str]) -> None:
    """Serves until the engine interrupts or dies."""
    parent = os.getppid()
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stopped.set())
    # The engine puts its flags (logging, tracing: nothing here heeds them) before its address.
    engine = arguments[-1] if arguments and not arguments[-1].startswith("-") else ""
    # Run and RunPlugin hold a thread each for as long as their process lives.
    server = grpc.server(ThreadPoolExecutor(max_workers=64), options=CHANNEL_OPTIONS)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)  # noqa: T201
    while not stopped.wait(1):
        if os.getppid() != parent:  # the engine was killed: nobody else would end the program
            break
    stop_all()
    server.stop(grace=GRACE_S + 0.5).wait()


if __name__ == "__main__":
    main(sys.argv[1:])
