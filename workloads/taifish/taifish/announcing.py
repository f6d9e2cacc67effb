"""Telling the queue of new tasks, beside the requests that brought them."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Callable

from . import database
from .logs import log


class Announcer:
    """Sends in a thread of its own: no request waits for a broker that is away.

    Where a network's name server does not answer either, it takes 20 s until the name of a broker that is
    gone is not found. A task is stored before it is announced, and the sweep announces what nobody heard of:
    so what cannot be sent, or finds `waiting` others before it, is left to the sweep.
    """

    def __init__(self, send: Callable[[uuid.UUID], None], *, waiting: int = 1000) -> None:
        self._send = send
        self._ids: queue.Queue[uuid.UUID] = queue.Queue(waiting)
        threading.Thread(target=self._work, name="announcer", daemon=True).start()

    def __call__(self, id: uuid.UUID) -> None:
        """Takes the task's id; never waits, never raises."""
        try:
            self._ids.put_nowait(id)
        except queue.Full:
            log("announce-trouble", severity="warning", task=id, error="too many wait for the broker")

    def _work(self) -> None:
        while True:
            id = self._ids.get()
            try:
                self._send(id)
            except Exception as error:
                log("announce-trouble", severity="warning", task=id, error=database.reason(error))
