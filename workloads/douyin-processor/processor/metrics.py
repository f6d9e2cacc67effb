"""What Prometheus can read at /metrics."""

from prometheus_client import Counter, Gauge, Histogram

JOBS = Counter("processor_jobs_total", "Attempts by outcome", ["outcome"])
SECONDS = Histogram("processor_attempt_seconds", "Fetching and analysing one file")
STORED = Gauge("processor_stored_jobs", "Jobs in the database", ["state"])
