"""The clock: exactly one of them ticks, and it remembers in PostgreSQL when each entry last ran.

A second one waits until the first is gone, so that an update may start the new before it stops the old. A run
that fell into a gap is made up for.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from types import FrameType
from typing import Any

import sqlalchemy as sa
from celery.beat import ScheduleEntry, Scheduler, SchedulingError
from sqlalchemy.exc import SQLAlchemyError

from . import database
from .logs import log
from .queue import process_queue
from .settings import Settings

LOCK = 0x7461_6966_6265_61  # "taifbea"
ALIVE = Path("/tmp/taifish-alive")  # noqa: S108  a tmpfs of this container alone
TICK = 2.0  # seconds


class NotAloneError(RuntimeError):
    """The lock was lost: another clock may tick by now."""


class Turn:
    """The right to be the clock, held by one connection."""

    def __init__(self, engine: sa.Engine) -> None:
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def take(self) -> bool:
        """False while another holds it."""
        return bool(self._connection.scalar(sa.text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}))

    def check(self) -> None:
        """Raises when the connection that holds the right is gone."""
        try:
            self._connection.execute(sa.text("SELECT 1"))
        except SQLAlchemyError as error:
            raise NotAloneError(database.reason(error)) from error

    def last_runs(self) -> dict[str, Any]:
        """When each entry last ran."""
        return {
            row.name: row.last_run
            for row in self._connection.execute(sa.text("SELECT name, last_run FROM beat"))
        }

    def ran(self, name: str, at: Any) -> None:
        """Remembers."""
        self._connection.execute(
            sa.text(
                "INSERT INTO beat (name, last_run) VALUES (:name, :at)"
                " ON CONFLICT (name) DO UPDATE SET last_run = excluded.last_run"
            ),
            {"name": name, "at": at},
        )


class Memory(Scheduler):  # type: ignore[misc]
    """Celery's scheduler with its memory in the database."""

    def __init__(self, *args: Any, turn: Turn, **kwargs: Any) -> None:
        self.turn = turn
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """The entries of the program, with the times of the database."""
        self.schedule: dict[str, ScheduleEntry] = {}
        self.merge_inplace(self.app.conf.beat_schedule)
        for name, last in self.turn.last_runs().items():
            if name in self.schedule:
                self.schedule[name].last_run_at = last

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Nothing is sent unless the turn is still ours."""
        self.turn.check()
        delay: float = super().tick(*args, **kwargs)
        ALIVE.touch()
        return delay

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Remembers a run once its message is sent; raises when it cannot be sent."""
        self.apply_async(entry, producer=producer, advance=False)
        self.turn.ran(entry.name, self.schedule[entry.name].last_run_at)


class Stop(Exception):  # noqa: N818
    """SIGTERM came."""


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stop


def serve(settings: Settings) -> int:
    """Until SIGTERM. Status 1 when the turn is lost: started anew, it waits for its turn again."""
    ALIVE.unlink(missing_ok=True)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        turn = Turn(database.connect(settings, pool=1))
        _wait(turn)
        log("ticking", entries=sorted(process_queue().conf.beat_schedule))
        while True:
            _tick(turn)
    except Stop:
        log("stopped")
        return 0
    except Exception as error:
        log("stopped", severity="error", error=database.reason(error))
        return 1


def _wait(turn: Turn) -> None:
    waiting = False
    while not turn.take():
        if not waiting:
            log("waiting", reason="another clock ticks")
            waiting = True
        ALIVE.touch()
        time.sleep(TICK)


def _tick(turn: Turn) -> None:
    """Returns when a message cannot be sent. What was not sent was not remembered, so it is due again."""
    scheduler = Memory(process_queue(), max_interval=TICK, turn=turn)
    try:
        while True:
            time.sleep(max(0.05, min(TICK, scheduler.tick())))
    except SchedulingError as error:
        log("broker-trouble", severity="warning", error=database.reason(error))
        time.sleep(TICK)
    finally:
        scheduler.close()
