"""What Prometheus can read at /metrics. Requests add up over all processes of this container."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import REGISTRY, Collector

REQUESTS = Counter("taifish_http_requests", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("taifish_http_request_seconds", "From the request's head to the answer's", ["route"])
ACCEPTED = Counter("taifish_tasks_accepted", "Tasks accepted by this container", ["kind"])
UPLOADED = Counter("taifish_uploaded_bytes", "Bytes of uploads kept by this container")


class Tasks(Collector):
    """Counted in the database when asked: every replica gives the same numbers, so take their maximum."""

    def __init__(self, counts: Callable[[], dict[tuple[str, str], int]]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        tasks = GaugeMetricFamily("taifish_tasks", "Tasks in the database", labels=["kind", "state"])
        readable = GaugeMetricFamily("taifish_tasks_readable", "Whether the database could be asked")
        try:
            counts = self._counts()
        except Exception:
            # An unreadable database must not hide the other numbers.
            readable.add_metric([], 0)
        else:
            readable.add_metric([], 1)
            for (kind, state), count in counts.items():
                tasks.add_metric([kind, state], count)
        return tasks, readable


def page(counts: Callable[[], dict[tuple[str, str], int]]) -> bytes:
    """The text of /metrics."""
    own = CollectorRegistry()
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        MultiProcessCollector(own)  # type: ignore[no-untyped-call]
        text = b""
    else:
        text = generate_latest(REGISTRY)
    own.register(Tasks(counts))
    return text + generate_latest(own)
