"""An Alibaba Cloud that runs here: its API over HTTP on loopback, and machines on a Docker engine."""
