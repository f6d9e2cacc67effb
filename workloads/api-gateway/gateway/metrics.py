"""What Prometheus can read on the metrics port."""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("gateway_requests_total", "Answered requests", ["service", "method", "status"])
SECONDS = Histogram("gateway_request_seconds", "From request to the last byte of the answer", ["service"])
RETRIES = Counter("gateway_retries_total", "Repeated attempts", ["service", "reason"])
CONNECTIONS = Gauge("gateway_connections", "Open connections of clients")
REFUSED = Counter("gateway_connections_refused_total", "Connections over a limit", ["limit"])
CONFIG_VALID = Gauge("gateway_config_valid", "1 while the file on disk is the one in force")
