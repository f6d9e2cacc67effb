"""Does the jobs: claim, fetch, analyse, store, with a heartbeat that keeps the lease."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path

import httpx

from . import metrics
from .fetch import AwayError, GoneError, client, fetched
from .logs import log
from .settings import App
from .store import Lease, Store
from .wav import WavError, analyse

POLL = 1.0  # seconds; jobs that another process accepted or lost are found by looking
PRUNE = 600.0  # seconds between two clean-ups


class Workers:
    """`settings.workers` tasks over one store."""

    def __init__(self, settings: App, store: Store, folder: Path) -> None:
        self._settings, self._store, self._folder = settings, store, folder
        self._http = client(settings.filesystem)
        self._event_loop = asyncio.get_running_loop()
        self._work = asyncio.Event()
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._janitor: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to take jobs."""
        self._tasks = [asyncio.create_task(self._loop()) for _ in range(self._settings.workers)]
        self._janitor = asyncio.create_task(self._prune())

    def wake(self) -> None:
        """There is new work. May be called from any thread."""
        self._event_loop.call_soon_threadsafe(self._work.set)

    def stop_taking(self) -> None:
        """Running jobs go on; no other is begun."""
        self._stopping.set()
        self._work.set()

    async def stop(self, grace: float) -> None:
        """Gives running jobs `grace` seconds and hands back what is not done by then."""
        self.stop_taking()
        if self._janitor is not None:
            self._janitor.cancel()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._http.aclose()

    async def _loop(self) -> None:
        while not self._stopping.is_set():
            try:
                self._work.clear()
                lease = await asyncio.to_thread(self._store.claim)
                if lease is None:
                    await self._idle()
                    continue
                await self._hold(lease)
            except asyncio.CancelledError:
                raise
            except Exception as error:
                # A full disk or a locked database passes; the jobs must still be there to be done then.
                log("worker-trouble", severity="error", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(POLL)

    async def _idle(self) -> None:
        try:
            await asyncio.wait_for(self._work.wait(), POLL)
        except TimeoutError:
            return

    async def _hold(self, lease: Lease) -> None:
        """Does one job while a heartbeat keeps its lease; drops it when the lease is lost."""
        job = asyncio.create_task(self._do(lease))
        beat = asyncio.create_task(self._beat(lease))
        try:
            await asyncio.wait({job, beat}, return_when=asyncio.FIRST_COMPLETED)
            if not job.done():
                log("lease-lost", severity="warning", video_id=lease.video_id, attempt=lease.attempt)
                return
            job.result()
        except asyncio.CancelledError:
            job.cancel()
            await asyncio.gather(job, return_exceptions=True)
            # Synchronous on purpose: a cancelled task must not be interrupted once more here.
            if self._store.release(lease):
                log("job-released", video_id=lease.video_id)
            raise
        finally:
            job.cancel()
            beat.cancel()
            await asyncio.gather(job, beat, return_exceptions=True)

    async def _beat(self, lease: Lease) -> None:
        """Returns when the lease is lost."""
        while True:
            await asyncio.sleep(self._settings.lease / 4)
            try:
                if not await asyncio.to_thread(self._store.renew, lease):
                    return
            except Exception as error:
                # The next beat comes before the lease ends.
                log("heartbeat-trouble", severity="warning", error=str(error))

    async def _do(self, lease: Lease) -> None:
        log("job-started", video_id=lease.video_id, file=lease.file, attempt=lease.attempt)
        try:
            with metrics.SECONDS.time():
                async with fetched(self._http, self._settings.filesystem, lease.file, self._folder) as file:
                    analysis = await asyncio.to_thread(analyse, file, self._settings.buckets)
        except (GoneError, WavError) as error:
            await self._end(lease, "failed", str(error))
        except (AwayError, httpx.HTTPError) as error:
            await self._end(lease, "retry", str(error))
        except Exception as error:
            await self._end(lease, "retry", f"{type(error).__name__}: {error}")
        else:
            result = {"file": lease.file, **asdict(analysis)}
            kept = await asyncio.to_thread(self._store.finish, lease, result)
            metrics.JOBS.labels("done" if kept else "lost").inc()
            log("job-done" if kept else "job-lost", video_id=lease.video_id)

    async def _end(self, lease: Lease, outcome: str, error: str) -> None:
        change = self._store.fail if outcome == "failed" else self._store.retry
        await asyncio.to_thread(change, lease, error)
        metrics.JOBS.labels(outcome).inc()
        log(f"job-{outcome}", severity="warning", video_id=lease.video_id, attempt=lease.attempt, error=error)

    async def _prune(self) -> None:
        while True:
            keep = self._settings.keep
            try:
                removed = await asyncio.to_thread(self._store.prune, results=keep.results, days=keep.days)
                if removed:
                    log("pruned", jobs=removed)
            except Exception as error:
                log("prune-trouble", severity="warning", error=str(error))
            await asyncio.sleep(PRUNE)
