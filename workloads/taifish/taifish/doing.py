"""Does one task: claims it, keeps its lease alive, and ends it in every case."""

from __future__ import annotations

import threading
import uuid

from celery.exceptions import SoftTimeLimitExceeded
from sqlalchemy.exc import SQLAlchemyError

from .database import reason
from .ledger import Claim, Ledger
from .logs import log
from .settings import Settings
from .tables import UnfitError
from .work import KINDS, LostError


class Lease:
    """Renews a claim from a thread for as long as the block runs."""

    def __init__(self, ledger: Ledger, claim: Claim) -> None:
        self._ledger, self._claim = ledger, claim
        self._over = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def tick(self) -> None:
        """Raises LostError when the task is no longer ours."""
        if self._lost.is_set():
            raise LostError

    def _keep(self) -> None:
        while not self._over.wait(self._ledger.lease / 4):
            try:
                if not self._ledger.renew(self._claim):
                    self._lost.set()
                    return
            except SQLAlchemyError as error:
                # The next try comes before the lease ends.
                log("lease-trouble", severity="warning", task=self._claim.id, error=reason(error))


def do(settings: Settings, ledger: Ledger, id: uuid.UUID, worker: str) -> str:
    """What became of it: done, failed, retry, lost or skipped. Raises only what the database raises."""
    claim = ledger.claim(id, worker)
    if claim is None:
        log("task-skipped", task=id, reason="done, being done, or given up")
        return "skipped"
    told = {"task": id, "kind": claim.kind, "attempt": claim.attempt, "worker": worker}
    log("task-started", **told)
    try:
        with Lease(ledger, claim) as lease:
            done = KINDS[claim.kind](settings, ledger, claim, lease.tick)
    except LostError:
        log("task-lost", severity="warning", **told)
        return "lost"
    except SoftTimeLimitExceeded:
        return _end(ledger.fail(claim, f"took longer than {settings.task_seconds} s"), "failed", told)
    except (UnfitError, KeyError) as error:
        text = str(error) if isinstance(error, UnfitError) else f"unknown to this version: {error}"
        return _end(ledger.fail(claim, text), "failed", {**told, "error": text})
    except Exception as error:
        text = f"{type(error).__name__}: {reason(error)}"
        return _end(ledger.retry(claim, text), "retry", {**told, "error": text})
    return _end(ledger.finish(claim, done.result, done.file), "done", told)


def _end(kept: bool, outcome: str, told: dict[str, object]) -> str:
    outcome = outcome if kept else "lost"
    log(f"task-{outcome}", **({"severity": "warning"} if outcome != "done" else {}), **told)
    return outcome
